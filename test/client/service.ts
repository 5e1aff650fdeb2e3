import { ExportJobs, type Job, type ProjectEvent } from "../../src/client/index.ts";

export type Call = { method: string; path: string; headers: Headers; body: string };
type Answer = (call: Call, signal: AbortSignal | null) => Response | Promise<Response>;

/** A line that is open as long as nobody ends it. */
export type Stream = { send: (...events: ProjectEvent[]) => void; cut: () => void; isOpen: () => boolean };

/** What a client speaks to, line by line as a test wants it. Only the line is a stand-in: `fetch`. */
export class Service {
  readonly calls: Call[] = [];
  readonly streams: Stream[] = [];
  readonly #routes: [RegExp, Answer][] = [];

  /** The newest answer to a route counts. */
  on(route: RegExp, answer: Answer): this {
    this.#routes.unshift([route, answer]);
    return this;
  }

  /** How often a route was called. */
  count(route: RegExp): number {
    return this.calls.filter(({ method, path }) => route.test(`${method} ${path}`)).length;
  }

  readonly fetch = (async (input: string | URL, init: RequestInit = {}) => {
    const url = new URL(input);
    const body = typeof init.body === "string" ? init.body : "";
    const path = url.pathname + url.search;
    const call = { method: init.method ?? "GET", path, headers: new Headers(init.headers), body };
    this.calls.push(call);
    init.signal?.throwIfAborted();
    const [, answer] = this.#routes.find(([route]) => route.test(`${call.method} ${path}`)) ?? [];
    if (!answer) {
      throw new Error(`Nothing answers ${call.method} ${path}.`);
    }
    return new Promise<Response>((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      Promise.resolve(answer(call, init.signal ?? null)).then(resolve, reject);
    });
  }) as typeof fetch;

  client(): ExportJobs {
    return new ExportJobs({ url: "https://exports.test", token: "ej_test_0", fetch: this.fetch });
  }

  /** Answers with a stream, and keeps hold of its other end. */
  readonly stream: Answer = (_call, signal) => {
    const encoder = new TextEncoder();
    let isOpen = true;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const end = (close: () => void) => {
          if (isOpen) {
            isOpen = false;
            close();
          }
        };
        signal?.addEventListener("abort", () => end(() => controller.error(signal.reason)));
        this.streams.push({
          send: (...events) => {
            for (const event of events) {
              controller.enqueue(encoder.encode(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`));
            }
          },
          cut: () => end(() => controller.close()),
          isOpen: () => isOpen,
        });
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

export function idOf(number: number): string {
  return `01990000-0000-7000-8000-${String(number).padStart(12, "0")}`;
}

export function newJob(number: number, change: Partial<Job> = {}): Job {
  const id = idOf(number);
  const at = "2026-11-20T17:30:00.000Z";
  const base = `https://exports.test/api/jobs/${id}`;
  const job: Job = {
    ...{ id, project_id: 7, user_id: null, type: "annotate", status: "processing", stage: "rendering", progress: 10 },
    params: { clips: [{ start_time: 0, end_time: 1 }], include_audio: true, titles: false },
    ...{ message: null, input_video_key: "input/default/x/match.mp4", output_video_key: null, output: null },
    ...{ assets: {}, artifacts: [], result: null, counters: {}, priority: 0 },
    ...{ metadata: {}, error: null, attempt: 1, retry_count: 0, max_retries: 3, runpod_job_id: null },
    ...{ reused_from: null, acknowledged_at: null, version: 3, queue_position: null, eta: null, eta_range: null },
    ...{ created_at: at, started_at: at, completed_at: null, updated_at: at },
    urls: { self: base, events: base, ws: base, cancel: base, output: base },
  };
  return Object.assign(job, change);
}

export function newEvent(
  number: number,
  seq: number,
  change: Partial<Exclude<ProjectEvent, { type: "deleted" }>> = {},
) {
  const state = { attempt: 1, status: "processing", stage: "rendering", progress: 10, message: null } as const;
  return {
    ...({ seq, type: "progress", at: "2026-11-20T17:31:00.000Z", job_id: idOf(number), ...state } as const),
    ...{ error: null, output_video_key: null, ...change },
  };
}

export function deleted(number: number): ProjectEvent {
  return { type: "deleted", job_id: idOf(number), seq: 99, at: "2026-11-20T17:32:00.000Z" };
}

export function page(...jobs: Job[]): Response {
  const headers = { "x-as-of": "2026-11-20T17:30:30.000Z" };
  return Response.json({ data: jobs, next_cursor: null }, { headers });
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ code, status, detail: `it is ${code}` }, { status, headers });
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
