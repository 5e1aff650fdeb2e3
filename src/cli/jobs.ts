import type { ExportJobs, Job, JobEvent, ProjectEvent } from "../client/index.ts";
import { JobStatus } from "../contract/job.ts";
import { JobType } from "../contract/types/index.ts";
import { readLabels, requireNumber, requireText, UsageError, type Values } from "./options.ts";
import { type Command, type Context, exitCodes, print } from "./run.ts";
import { StatusLine, toLine } from "./screen.ts";

/** A job in a line, or its end where it was asked to wait for that. */
export async function show(context: Context, exports: ExportJobs, job: Job): Promise<number> {
  if (context.values.watch) {
    return follow(context, exports, job.id);
  }
  printJob(job, context.values);
  return exitCodes.ok;
}

function printJob(job: Job, { json }: Values): void {
  print(json ? JSON.stringify(job) : `${job.id}  ${job.type}  ${toLine(job)}`);
}

async function follow({ values }: Context, exports: ExportJobs, id: string): Promise<number> {
  const line = new StatusLine(process.stderr);
  const onProgress = (event: JobEvent) => (values.json ? print(JSON.stringify(event)) : line.show(toLine(event)));
  try {
    const job = await exports.result(id, { onProgress });
    line.end();
    if (!values.json) {
      print(`${job.id}  ${job.output?.size ?? 0} bytes  ${job.output?.url ?? ""}`);
    }
    return exitCodes.ok;
  } finally {
    line.end();
  }
}

const onJob =
  (act: (exports: ExportJobs, id: string) => Promise<Job>): Command =>
  async (context) => {
    const id = requireText(context.target, "A job");
    const exports = context.connect();
    return show(context, exports, await act(exports, id));
  };

export const get = onJob((exports, id) => exports.jobs.get(id));
export const cancel = onJob((exports, id) => exports.jobs.cancel(id));
export const retry = onJob((exports, id) => exports.jobs.retry(id));
export const watch: Command = async (context) =>
  follow(context, context.connect(), requireText(context.target, "A job"));

export const remove: Command = async (context) => {
  const id = requireText(context.target, "A job");
  await context.connect().jobs.delete(id);
  print(context.values.json ? JSON.stringify({ id, deleted: true }) : `${id}  deleted`);
  return exitCodes.ok;
};

/** The one of a list's words that was meant. @throws UsageError */
function readWord<Word extends string>(words: readonly Word[], text: string | undefined, name: string) {
  const word = words.find((known) => known === text);
  if (text !== undefined && word === undefined) {
    throw new UsageError(`${name} must be one of ${words.join(", ")}, not "${text}".`);
  }
  return word;
}

/** What of a list's filters was given. */
function readFilter(values: Values) {
  const { project, user: userId, "created-after": createdAfter, "created-before": createdBefore, metadata } = values;
  const type = readWord(JobType.options, values.type, "--type");
  const status = readWord([...JobStatus.options, "active"], values.status, "--status");
  return {
    ...(project === undefined ? {} : { projectId: requireNumber(project, "--project") }),
    ...(userId === undefined ? {} : { userId }),
    ...(type === undefined ? {} : { type }),
    ...(status === undefined ? {} : { status }),
    ...(createdAfter === undefined ? {} : { createdAfter }),
    ...(createdBefore === undefined ? {} : { createdBefore }),
    ...(metadata === undefined ? {} : { metadata: readLabels(metadata) }),
  };
}

export const list: Command = async (context) => {
  const { values } = context;
  const limit = requireNumber(values.limit ?? "20", "--limit", 1);
  let count = 0;
  const filter = readFilter(values);
  for await (const job of context.connect().jobs.list({ ...filter, pageSize: Math.min(100, limit) })) {
    printJob(job, values);
    count += 1;
    if (count >= limit) {
      break;
    }
  }
  return exitCodes.ok;
};

function toText(event: ProjectEvent): string {
  return `${event.at}  ${event.job_id}  ${event.type === "deleted" ? event.type : toLine(event)}`;
}

export const tail: Command = async (context) => {
  const projectId = requireNumber(context.values.project, "--project");
  for await (const event of context.connect().watchProject(projectId)) {
    print(context.values.json ? JSON.stringify(event) : toText(event));
  }
  return exitCodes.ok;
};

export const usage: Command = async (context) => {
  const { from, to, project, json } = context.values;
  const { data } = await context.connect().usage({
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    ...(project === undefined ? {} : { projectId: requireNumber(project, "--project") }),
  });
  if (json) {
    print(JSON.stringify({ data }));
    return exitCodes.ok;
  }
  for (const { day, project_id, jobs, gpu_ms, bytes_in, bytes_out, cost } of data) {
    const ends = `${jobs.complete} complete, ${jobs.error} error, ${jobs.cancelled} cancelled`;
    const price = cost === null ? "" : `  cost ${cost}`;
    const bytes = `${bytes_in} bytes in, ${bytes_out} out`;
    print(`${day}  project ${project_id}  ${ends}  ${gpu_ms / 1000} s of GPU  ${bytes}${price}`);
  }
  return exitCodes.ok;
};

export const uploads: Command = async (context) => {
  const id = requireText(context.target, "An upload");
  const { json, delete: gone } = context.values;
  const { uploads: registry } = context.connect();
  if (gone) {
    await registry.delete(id);
    print(json ? JSON.stringify({ id, deleted: true }) : `${id}  deleted`);
    return exitCodes.ok;
  }
  const upload = await registry.get(id);
  const { parts = [], uploaded_parts: there = [], status, size, input_video_key: key } = upload;
  const share = parts.length > 0 ? `  ${there.length} of ${parts.length} parts` : "";
  print(json ? JSON.stringify(upload) : `${id}  ${status}  ${size} bytes${share}  ${key}`);
  return exitCodes.ok;
};
