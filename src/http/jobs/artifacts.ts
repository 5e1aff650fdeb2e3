import { rowOf } from "../../contract/types/index.ts";
import { artifactKeys, outputKey } from "../../core/object-keys.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { findOutput } from "../../store/videos.ts";

/** A job's row with what its handler has written already, where its type gives something before the end. */
export async function withArtifacts(env: Env, row: ExportJobRow): Promise<ExportJobRow> {
  const { tenantId, id, attempt, type, status } = row;
  const isEarly = ({ name }: { name: string }) => rowOf(type).artifacts[name]?.early;
  if (status !== "processing" || attempt === 0) {
    return row;
  }
  const early = artifactKeys(type, outputKey(tenantId, id, attempt, type)).filter(isEarly);
  const looks = early.map(async ({ name, key }) => {
    const found = await findOutput(env.VIDEOS, key);
    return found ? [{ name, ...found }] : [];
  });
  const artifacts = (await Promise.all(looks)).flat();
  return artifacts.length > 0 ? { ...row, artifacts } : row;
}
