import type { CreateJob } from "../../contract/create-job.ts";
import type { FieldError } from "../../contract/problem.ts";
import { rowOf } from "../../contract/types/index.ts";
import { AssetContentType, VideoContentType } from "../../contract/upload.ts";
import { isUploadOf } from "../../core/access.ts";
import { isInputKeyOf, uploadOf } from "../../core/object-keys.ts";
import { openDatabase } from "../../store/database.ts";
import { findUpload } from "../../store/uploads.ts";
import { findVideo } from "../../store/videos.ts";
import type { Call } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";

/** What a job works on, as it was when the job was made: bytes in all, and each file by key and content. */
export type JobFiles = Readonly<{ size: number; keys: readonly unknown[]; contents: readonly unknown[] }>;

type Kind = Readonly<{ options: readonly string[] }>;

/** @returns what R2 says of it; null unless it is a whole upload of the caller's, of one of those types */
async function findFile({ caller, env }: Call, key: string, kind: Kind): Promise<R2Object | null> {
  if (!isInputKeyOf(caller.tenantId, key)) {
    return null;
  }
  const [upload, object] = await Promise.all([
    findUpload(openDatabase(env.DB), uploadOf(key)),
    findVideo(env.VIDEOS, key),
  ]);
  const isWhole = upload?.objectKey === key && upload.size === object?.size;
  return isWhole && isUploadOf(caller, upload) && kind.options.includes(upload.contentType) ? object : null;
}

type Wanted = Readonly<{ pointer: string; key: string; what: string; kind: Kind }>;

/** @throws AppError `input_not_found`, `validation_failed` for an asset that the type does not take */
export async function requireFiles(call: Call, request: CreateJob): Promise<JobFiles> {
  const assets = Object.entries(request.assets ?? {}).sort();
  requireTaken(request, assets);
  const input: Wanted[] =
    "input_video_key" in request
      ? [{ pointer: "/input_video_key", key: request.input_video_key, what: "video", kind: VideoContentType }]
      : [];
  const wanted: Wanted[] = [
    ...input,
    ...assets.map(([name, key]) => ({
      pointer: `/assets/${name}`,
      key,
      what: "image, sound or JSON",
      kind: AssetContentType,
    })),
  ];
  const found = await Promise.all(wanted.map(({ key, kind }) => findFile(call, key, kind)));
  const errors = wanted.flatMap(({ pointer, what }, index): FieldError[] =>
    found[index] ? [] : [{ pointer, detail: `names no uploaded ${what}` }],
  );
  if (errors.length > 0) {
    throw new AppError("input_not_found", { errors });
  }
  const etags = found.map((object) => object?.etag);
  const size = found.reduce((sum, object) => sum + (object?.size ?? 0), 0);
  const names = assets.map(([name]) => name);
  return { size, keys: [...wanted.map(({ key }) => key), ...names], contents: [...etags, ...names] };
}

function requireTaken({ type }: CreateJob, assets: readonly (readonly [name: string, key: string])[]): void {
  const taken = rowOf(type).assets;
  const errors = assets.flatMap(([name]): FieldError[] =>
    taken === "any" || taken.includes(name) ? [] : [{ pointer: `/assets/${name}`, detail: `is not taken by ${type}` }],
  );
  if (errors.length > 0) {
    throw new AppError("validation_failed", { errors });
  }
}
