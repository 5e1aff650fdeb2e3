import { toRequest } from "./http.ts";
import { authorization, BenchJobs, inputKey, newJob } from "./jobs.ts";
import { isOk, load } from "./load.ts";
import type { Bench } from "./main.ts";
import { atLeast, atMost, type Goal, type Result, type Table, toFigure } from "./report.ts";
import { interleave, type Measured, ratioOf, type Subject } from "./rounds.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { sum } from "./statistics.ts";

const sizes = [10_000, 100_000, 1_000_000];
const rounds = 10;
const perRound = 24;
const chunk = 50_000;
const projects = 100;
const jobsPerUser = 100;
const labelled = "bench";
/** The rows begin at this instant, a thousand a day. */
const epochMs = Date.parse("2022-01-01T00:00:00.000Z");
const stepMs = 86_400;
const day = "2022-01-02";

/** Finished jobs of one tenant in many projects, of many users, and their usage; one in a thousand is labelled. */
async function fill({ db }: Runtime, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += chunk) {
    const end = Math.min(to, start + chunk);
    const numbers = `WITH RECURSIVE numbers(n) AS (SELECT ${start} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${end})`;
    const ms = `(${epochMs} + n * ${stepMs})`;
    const id = `printf('%08x-%04x-7000-8000-%012x', ${ms} >> 16, ${ms} & 65535, n)`;
    const at = `strftime('%Y-%m-%dT%H:%M:%S.000Z', ${ms} / 1000, 'unixepoch')`;
    await db
      .prepare(
        `INSERT INTO export_jobs (id, tenant_id, project_id, user_id, type, status, stage, progress, input_video_key,
          output_video_key, output_size, output_etag, params, metadata, attempt, max_retries, version, created_at, started_at, completed_at, updated_at, settled_at)
        ${numbers} SELECT ${id}, 'default', n % ${projects}, 'user' || (n / ${jobsPerUser}), 'framing', 'complete', 'done', 100,
          '${inputKey}', 'output/default/' || n || '/1.mp4', 1, 'etag', '${JSON.stringify(newJob.params)}',
          iif(n % 1000 = 7, '{"team":"${labelled}"}', '{}'), 1, 3, 9, ${at}, ${at}, ${at}, ${at}, ${at}
        FROM numbers`,
      )
      .run();
    await db
      .prepare(
        `INSERT INTO usage (tenant_id, day, project_id, job_id, attempt, type, outcome, job_status, gpu_ms, queue_ms,
          bytes_in, bytes_out, output_ms)
        ${numbers} SELECT 'default', substr(${at}, 1, 10), n % ${projects}, ${id}, 1, 'framing', 'complete', 'complete', 1000,
          10, 1, 1, 1000 FROM numbers`,
      )
      .run();
  }
}

/** Each query that a caller can make, by the path that makes it. */
const queries: Readonly<Record<string, string>> = {
  "list, tenant": "/api/jobs",
  "list, a later page by time": `/api/jobs?created_before=${new Date(epochMs + 5_000 * stepMs).toISOString()}`,
  "list, project": "/api/jobs?project_id=7",
  "list, user": "/api/jobs?user_id=user7",
  "list, user in project": "/api/jobs?user_id=user7&project_id=7",
  "list, active of a project": "/api/jobs?project_id=7&status=active",
  "list, type": "/api/jobs?type=framing",
  "list, rare label": `/api/jobs?metadata[team]=${labelled}`,
  "usage of a day": `/api/usage?from=${day}&to=${day}`,
};

/** What is no GET of a caller's: only its rows are counted. Each size has a key of its own. */
function others(runtime: Runtime, jobs: BenchJobs): Record<string, () => Promise<unknown>> {
  const headers = { ...authorization, "idempotency-key": crypto.randomUUID() };
  let id = "";
  const create = () => jobs.call("POST", "/api/jobs", JSON.stringify(newJob), headers);
  return {
    "create, with a key, to its run": async () => {
      ({ id } = await create());
      await runtime.endpoint.take(id);
    },
    "read an active job": () => jobs.call("GET", `/api/jobs/${id}`),
    "create again under the same key": create,
    "cancel, to its end in D1": async () => jobs.cancel(await runtime.endpoint.take(id)),
    "the cron: sweep, uploads, retention": () => jobs.call("GET", "/cron"),
  };
}

type Grown = { size: number; rowsRead: Map<string, number>; figures: Map<string, Measured> };

const bareSelect = "bare point SELECT";

async function measure(runtime: Runtime, jobs: BenchJobs, size: number): Promise<Grown> {
  const { data } = await jobs.call("GET", "/api/jobs?limit=1");
  const jobId = String(data[0].id);
  const paths = { ...queries, "read a job": `/api/jobs/${jobId}` };
  const one = (name: string, request: Buffer): Subject => ({
    name,
    run: () => load(() => request, { port: runtime.port, connections: 4, count: perRound, isGood: isOk }),
  });
  const rowsRead = new Map<string, number>();
  for (const [name, path] of Object.entries(paths)) {
    await jobs.call("GET", "/meter");
    await jobs.call("GET", path);
    rowsRead.set(name, (await jobs.call("GET", "/meter")).d1RowsRead);
  }
  for (const [name, work] of Object.entries(others(runtime, jobs))) {
    await jobs.call("GET", "/meter");
    await work();
    rowsRead.set(name, (await jobs.call("GET", "/meter")).d1RowsRead);
  }
  const subjects = [
    one(bareSelect, toRequest("GET", `/bare/select/default/${jobId}`)),
    ...Object.entries(paths).map(([name, path]) => one(name, toRequest("GET", path, authorization))),
  ];
  const figures = await interleave(subjects, { rounds, processes: runtime.processes });
  return { size, rowsRead, figures };
}

function speedOf({ figures }: Grown, name: string): number {
  const [subject, floor] = [figures.get(name), figures.get(bareSelect)];
  return subject && floor ? ratioOf(subject, floor) : Number.NaN;
}

function toTable(grown: readonly Grown[]): Table {
  const names = [...(grown[0]?.rowsRead.keys() ?? [])];
  const label = (size: number) => size.toLocaleString("en");
  const columns = ["", ...grown.map(({ size }) => `rows read at ${label(size)}`)];
  columns.push(...grown.map(({ size }) => `× ${bareSelect} at ${label(size)}`));
  const rows = names.map((name) => [
    name,
    ...grown.map(({ rowsRead }) => String(rowsRead.get(name))),
    ...grown.map((size) => (size.figures.has(name) ? toFigure(speedOf(size, name)) : "")),
  ]);
  return { title: `${rounds} rounds of ${perRound} requests on 4 connections at each size`, columns, rows };
}

function toGoals(grown: readonly Grown[]): Goal[] {
  const [first, last] = [grown[0], grown.at(-1)];
  if (!first || !last) {
    return [];
  }
  const growthOf = (name: string) =>
    (last.rowsRead.get(name) ?? Number.NaN) / Math.max(1, first.rowsRead.get(name) ?? 1);
  const page = "list, project";
  return [
    atLeast("list page of 20 at a million rows, × point SELECT", speedOf(last, page), 0.5),
    atMost(
      "rows read by any list at a million rows, × those at 10,000",
      Math.max(
        ...Object.keys(queries)
          .filter((name) => name.startsWith("list"))
          .map(growthOf),
      ),
      1,
    ),
  ];
}

/** Whether a query costs its own rows, however many others there are. */
export const growth: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime({ entry: "metered.ts", more: { RETENTION_DAYS: 30 } });
  const jobs = await BenchJobs.open(runtime);
  try {
    const grown: Grown[] = [];
    let size = 0;
    for (const [index, next] of sizes.entries()) {
      await fill(runtime, size, next);
      size = next;
      grown.push(await measure(runtime, jobs, size));
      progress((index + 1) / sizes.length);
    }
    const errors = sum(grown.flatMap(({ figures }) => [...figures.values()].map(({ errors: count }) => count)));
    return { tables: [toTable(grown)], goals: toGoals(grown), errors };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};
