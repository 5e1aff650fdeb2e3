import { createHash } from "node:crypto";
import { existsSync, mkdirSync, openAsBlob, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, extname, join, resolve } from "node:path";
import type { ExportJobs, UploadOptions } from "../client/index.ts";
import { CreateJob } from "../contract/create-job.ts";
import { JobType, rowOf } from "../contract/types/index.ts";
import type { VideoContentType } from "../contract/upload.ts";
import { show } from "./jobs.ts";
import { readLabels, requireNumber, requireText, UsageError, type Values } from "./options.ts";
import type { Command, Context } from "./run.ts";
import { StatusLine, toBar } from "./screen.ts";

const contentTypes: Readonly<Record<string, VideoContentType>> = {
  ".mp4": "video/mp4",
  ".m4v": "video/mp4",
  ".mov": "video/quicktime",
  ".webm": "video/webm",
  ".mkv": "video/x-matroska",
  ".mpg": "video/mpeg",
  ".mpeg": "video/mpeg",
  ".avi": "video/x-msvideo",
};

/** Stands for the key of a file until it is uploaded. */
const notYet = "input/not-uploaded-yet";

/** An upload that was begun is named in a file, so that the command goes on with it when it is run again. */
function uploadMemory(url: string, path: string): NonNullable<UploadOptions["storage"]> {
  const state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  const dir = join(state, "export-jobs", "uploads");
  const fileOf = (key: string) => join(dir, createHash("sha256").update(`${url}\n${path}\n${key}`).digest("hex"));
  return {
    getItem: (key) => (existsSync(fileOf(key)) ? readFileSync(fileOf(key), "utf8") : null),
    setItem: (key, id) => {
      mkdirSync(dir, { recursive: true });
      writeFileSync(fileOf(key), id, { mode: 0o600 });
    },
    removeItem: (key) => rmSync(fileOf(key), { force: true }),
  };
}

async function upload(context: Context, exports: ExportJobs, source: string, projectId: number): Promise<string> {
  const filename = context.values.name ?? basename(source);
  const type = contentTypes[extname(filename).toLowerCase()] ?? "video/mp4";
  const { mtimeMs } = statSync(source);
  const file = new File([await openAsBlob(source)], filename, { type, lastModified: Math.round(mtimeMs) });
  const line = new StatusLine(process.stderr);
  const onProgress = (sent: number, total: number) => line.show(`${toBar((sent / total) * 100)}  uploading`);
  const storage = uploadMemory(context.url, resolve(source));
  try {
    return (await exports.upload(file, { projectId, onProgress, storage })).input_video_key;
  } finally {
    line.end();
  }
}

function readParams(text: string): unknown {
  try {
    return JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
  } catch (error) {
    throw new UsageError(`--params: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether a type works on a video; of one that nobody knows the schema says so. */
function takesVideo(type: string): boolean {
  const known = JobType.safeParse(type);
  return !known.success || rowOf(known.data).input === "video";
}

/** The body of the request, with a stand-in for the key. @throws UsageError naming each wrong value */
function readRequest(values: Values): CreateJob {
  const number = (name: "max-retries" | "start-within" | "max-run") =>
    values[name] === undefined ? undefined : requireNumber(values[name], `--${name}`);
  const type = requireText(values.type, "--type");
  const result = CreateJob.safeParse({
    project_id: requireNumber(values.project, "--project"),
    type,
    params: readParams(requireText(values.params, "--params")),
    ...(takesVideo(type) && { input_video_key: notYet }),
    user_id: values.user,
    metadata: readLabels(values.metadata),
    max_retries: number("max-retries"),
    start_within_seconds: number("start-within"),
    max_run_seconds: number("max-run"),
    reuse: values.reuse,
    webhook_url: values["webhook-url"],
    webhook_events: values["webhook-events"]?.split(","),
  });
  if (!result.success) {
    throw new UsageError(
      result.error.issues.map(({ path, message }) => `${["submit", ...path].join(" ")}: ${message}`).join("\n"),
    );
  }
  return result.data;
}

/** A file, or the key of an input. @throws UsageError */
function requireSource({ target }: Context): { path: string } | { key: string } {
  const source = requireText(target, "A file or an input key");
  if (existsSync(source)) {
    return { path: source };
  }
  if (!source.startsWith("input/")) {
    throw new UsageError(`There is no file ${source}.`);
  }
  return { key: source };
}

export const submit: Command = async (context) => {
  const { values } = context;
  // Before the upload: what is wrong with the request should not cost one.
  const request = readRequest(values);
  const source = "input_video_key" in request ? requireSource(context) : null;
  const exports = context.connect();
  const key =
    source && ("key" in source ? source.key : await upload(context, exports, source.path, request.project_id));
  const { "idempotency-key": idempotencyKey } = values;
  const options = idempotencyKey === undefined ? {} : { idempotencyKey };
  const job = key === null || !("input_video_key" in request) ? request : { ...request, input_video_key: key };
  return show(context, exports, await exports.jobs.create(job, options));
};
