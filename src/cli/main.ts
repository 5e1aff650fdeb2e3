#!/usr/bin/env node
import { createWriteStream, existsSync, openAsBlob, readFileSync } from "node:fs";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { ExportJobs, ExportJobsError, type Job, type JobEvent, JobFailedError } from "../client/index.ts";
import { CreateJob } from "../contract/create-job.ts";
import { JobStatus } from "../contract/job.ts";
import { help, readArguments, requireNumber, requireText, UsageError, type Values } from "./arguments.ts";
import { StatusLine, toBar, toLine } from "./screen.ts";

/** What a command needs: the service, the options, and what stands behind the command's name. */
type Context = { exports: ExportJobs; values: Values; target: string | undefined };

const exitCodes = { ok: 0, failed: 1, usage: 2, service: 3 } as const;
type Outcome = Promise<number>;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printJob(job: Job, { json }: Values): void {
  print(json ? JSON.stringify(job) : `${job.id}  ${job.type}  ${toLine(job)}`);
}

async function follow({ exports, values }: Context, id: string): Outcome {
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

async function upload({ exports, values, target }: Context): Promise<string> {
  const source = requireText(target, "A file or an input key");
  if (!existsSync(source)) {
    if (source.startsWith("input/")) {
      return source;
    }
    throw new UsageError(`There is no file ${source}.`);
  }
  const line = new StatusLine(process.stderr);
  const file = await openAsBlob(source);
  const onProgress = (sent: number, total: number) => line.show(`${toBar((sent / total) * 100)}  uploading`);
  const projectId = requireNumber(values.project, "--project");
  const { input_video_key } = await exports.upload(file, { projectId, filename: basename(source), onProgress });
  line.end();
  return input_video_key;
}

function readParams(text: string): unknown {
  try {
    return JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
  } catch (error) {
    throw new UsageError(`--params: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws UsageError naming each wrong value */
function parse<Schema extends z.ZodType>(schema: Schema, name: string, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) {
    const faults = result.error.issues.map(({ path, message }) => `${[name, ...path].join(" ")}: ${message}`);
    throw new UsageError(faults.join("\n"));
  }
  return result.data;
}

async function submit(context: Context): Outcome {
  const { exports, values } = context;
  const project_id = requireNumber(values.project, "--project");
  const type = requireText(values.type, "--type");
  const params = readParams(requireText(values.params, "--params"));
  const input_video_key = await upload(context);
  const user = values.user === undefined ? {} : { user_id: values.user };
  const job = await exports.jobs.create(
    parse(CreateJob, "submit", { project_id, type, input_video_key, params, ...user }),
  );
  if (values.watch) {
    return follow(context, job.id);
  }
  printJob(job, values);
  return exitCodes.ok;
}

async function list({ exports, values }: Context): Outcome {
  const limit = requireNumber(values.limit, "--limit");
  const project = values.project === undefined ? {} : { projectId: requireNumber(values.project, "--project") };
  const filter = z.enum([...JobStatus.options, "active"]);
  const status = values.status === undefined ? {} : { status: parse(filter, "--status", values.status) };
  let count = 0;
  for await (const job of exports.jobs.list({ ...project, ...status, pageSize: Math.min(100, limit) })) {
    printJob(job, values);
    count += 1;
    if (count >= limit) {
      break;
    }
  }
  return exitCodes.ok;
}

async function download({ exports, values, target }: Context): Outcome {
  const id = requireText(target, "A job");
  const path = values.output ?? `${id}.mp4`;
  const response = await exports.output.download(id);
  const total = Number(response.headers.get("content-length"));
  const line = new StatusLine(process.stderr);
  let got = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      got += chunk.byteLength;
      line.show(`${toBar((got / total) * 100)}  ${path}`);
      yield chunk;
    }
  };
  await pipeline(counted(response.body ?? new Blob().stream()), createWriteStream(path));
  line.end();
  print(values.json ? JSON.stringify({ path, bytes: got }) : `${path}  ${got} bytes`);
  return exitCodes.ok;
}

async function tail({ exports, values }: Context): Outcome {
  for await (const event of exports.watchProject(requireNumber(values.project, "--project"))) {
    const line = event.type === "deleted" ? event.type : toLine(event);
    print(values.json ? JSON.stringify(event) : `${event.at}  ${event.job_id}  ${line}`);
  }
  return exitCodes.ok;
}

const onJob = (act: (exports: ExportJobs, id: string) => Promise<Job>) => async (context: Context) => {
  const job = await act(context.exports, requireText(context.target, "A job"));
  if (context.values.watch) {
    return follow(context, job.id);
  }
  printJob(job, context.values);
  return exitCodes.ok;
};

const commands: Readonly<Record<string, (context: Context) => Outcome>> = {
  submit,
  watch: (context) => follow(context, requireText(context.target, "A job")),
  get: onJob((exports, id) => exports.jobs.get(id)),
  cancel: onJob((exports, id) => exports.jobs.cancel(id)),
  retry: onJob((exports, id) => exports.jobs.retry(id)),
  list,
  download,
  tail,
};

async function main(): Outcome {
  const { values, positionals } = readArguments(process.argv.slice(2));
  const [name, target] = positionals;
  if (values.help || name === undefined) {
    print(help.trimEnd());
    return exitCodes.ok;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    throw new UsageError(`There is no command "${name}".`);
  }
  const url = requireText(values.url, "--url or EXPORT_JOBS_URL");
  const token = requireText(values.token, "--token or EXPORT_JOBS_TOKEN");
  return command({ exports: new ExportJobs({ url, token }), values, target });
}

function explain(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError || (error instanceof TypeError && "code" in error)) {
    process.stderr.write(`${message}\nSee "export-jobs --help".\n`);
    return exitCodes.usage;
  }
  if (error instanceof JobFailedError) {
    process.stderr.write(`${error.job.id} is ${error.job.status}: ${message}\n`);
    return exitCodes.failed;
  }
  const details =
    error instanceof ExportJobsError ? error.errors.map(({ pointer, detail }) => `  ${pointer} ${detail}`) : [];
  const code = error instanceof ExportJobsError ? `${error.code}: ` : "";
  process.stderr.write(`${[`${code}${message}`, ...details].join("\n")}\n`);
  return exitCodes.service;
}

process.exitCode = await main().catch(explain);
