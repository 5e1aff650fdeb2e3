import { type JobType, rowOf } from "../contract/types/index.ts";

/** `input/<tenant>/<upload>/<file name>`, the file name reduced to what is safe in a key, a URL and a header. */
export function inputKey(tenantId: string, uploadId: string, filename: string): string {
  return `input/${tenantId}/${uploadId}/${toSafeFilename(filename)}`;
}

/** `output/<tenant>/<job>/<attempt>.<ext>`: a key per attempt, so that a late writer never meets another's result. */
export function outputKey(tenantId: string, jobId: string, attempt: number, type: JobType): string {
  return `output/${tenantId}/${jobId}/${attempt}.${rowOf(type).output.extension}`;
}

/** The key of an attempt's output without its ending: what else the attempt wrote begins with it. */
function stemOf(key: string): string {
  const start = key.lastIndexOf("/") + 1;
  const end = key.indexOf(".", start);
  return end < 0 ? key : key.slice(0, end);
}

/** Whether an object is of the attempt with that output: the output itself, or one of its artifacts. */
export function isOfAttempt(outputKey: string, key: string): boolean {
  return stemOf(outputKey) === stemOf(key);
}

/** `output/<tenant>/<job>/<attempt>.<name>.<ext>` of each artifact that an attempt of a type may write. */
export function artifactKeys(type: JobType, outputKey: string) {
  const entries = Object.entries(rowOf(type).artifacts);
  return entries.map(([name, format]) => ({ name, format, key: `${stemOf(outputKey)}.${name}.${format.extension}` }));
}

/** Whether the key names an upload of this tenant, and nothing else by way of dots or empty parts. */
export function isInputKeyOf(tenantId: string, key: string): boolean {
  const [root, owner, upload, file, ...rest] = key.split("/");
  return root === "input" && owner === tenantId && Boolean(upload) && Boolean(file) && rest.length === 0;
}

/** The tenant that a key belongs to. */
export function tenantOf(key: string): string {
  return key.split("/")[1] ?? "";
}

/** The upload that an input's key belongs to. */
export function uploadIdOf(key: string): string {
  return key.split("/")[2] ?? "";
}

/** Which upload an input's key names. */
export function uploadOf(key: string): Readonly<{ tenantId: string; id: string }> {
  return { tenantId: tenantOf(key), id: uploadIdOf(key) };
}

/** The job that an output's key belongs to. */
export function jobIdOf(key: string): string {
  return key.split("/")[2] ?? "";
}

/** Letters, digits, dots, dashes and underscores, at most 100 characters, never empty and never only dots. */
export function toSafeFilename(filename: string): string {
  const base = filename.split(/[/\\]/).at(-1) ?? "";
  const safe = base
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "");
  return safe.slice(-100) || "video";
}

/** Which document, of which project. */
export type DocumentKey = Readonly<{ tenantId: string; projectId: number; name: string }>;

/** `document/<tenant>/<project>/<name>/<version>-<proposal>.json`: writers of the same version never meet. */
export function documentKey({ tenantId, projectId, name }: DocumentKey, version: number, proposalId: string): string {
  return `document/${tenantId}/${projectId}/${name}/${version}-${proposalId}.json`;
}

/** Which version of which document a key is for. */
export function documentOf(key: string): DocumentKey & { version: number } {
  const [, tenantId = "", project, name = "", file = ""] = key.split("/");
  return { tenantId, projectId: Number(project), name, version: Number.parseInt(file, 10) };
}
