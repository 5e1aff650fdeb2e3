import type { JobEvent } from "../contract/event.ts";
import type { RequestOptions, Transport } from "./transport.ts";
import type { CreateJobInput } from "./types.ts";
import { type UploadOptions, uploadFile } from "./upload.ts";

/** A file, an address where one can be fetched, or the key of a video that was uploaded. */
export type RunInput = Blob | URL | string;

type OfVideo = Extract<CreateJobInput, { input_video_key: string }>;
type WithInput<Request> = Request extends unknown ? Omit<Request, "input_video_key"> & { input: RunInput } : never;
export type RunRequest = WithInput<OfVideo> | CreateJobInput;

export type RunProgress = {
  phase: "upload" | "job";
  /** Percent of the whole, from the file to the result; never falls. */
  progress: number;
  /** The job's newest event. */
  event: JobEvent | null;
};

/** An upload's share of the whole. */
const uploadPercent = 30;

type Options = Omit<UploadOptions, "projectId" | "onProgress"> & { onProgress?: (progress: RunProgress) => void };

async function fetchFile(transport: Transport, url: URL, options: RequestOptions): Promise<File> {
  const blob = await (await transport.file(url.href, options)).blob();
  return new File([blob], url.pathname.split("/").at(-1) ?? "", { type: blob.type });
}

/** Brings the input there. @returns the job to create, and what tells of its events */
export async function prepareRun(
  transport: Transport,
  request: RunRequest,
  { onProgress, ...options }: Options,
): Promise<{ job: CreateJobInput; onEvent: (event: JobEvent) => void }> {
  let most = 0;
  const tell = (phase: RunProgress["phase"], progress: number, event: JobEvent | null = null) => {
    most = Math.max(most, progress);
    onProgress?.({ phase, progress: most, event });
  };
  const from = (share: number) => (event: JobEvent) =>
    tell("job", share + (event.progress * (100 - share)) / 100, event);
  if (!("input" in request)) {
    return { job: request, onEvent: from(0) };
  }
  const { input, ...rest } = request;
  const url = typeof input === "string" && /^https?:/.test(input) ? new URL(input) : input;
  if (typeof url === "string") {
    return { job: { ...rest, input_video_key: url }, onEvent: from(0) };
  }
  const file = url instanceof URL ? await fetchFile(transport, url, options) : url;
  const { input_video_key } = await uploadFile(transport, file, {
    ...options,
    projectId: request.project_id,
    onProgress: (sent, total) => tell("upload", (sent / total) * uploadPercent),
  });
  return { job: { ...rest, input_video_key }, onEvent: from(uploadPercent) };
}
