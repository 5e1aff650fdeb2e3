import {
  type ExportJobs,
  ExportJobsError,
  type Job,
  type JobEvent,
  type ListOptions,
  type ProjectEvent,
} from "../client/index.ts";
import { choice, field, formatEta, formatTime, h, inPlainWords, messageOf, numberInput } from "./dom.ts";
import { chooseProject, readProject } from "./session.ts";

const statuses = ["all", "active", "complete", "error", "cancelled"] as const;
const types = ["all", "framing", "overlay", "annotate"] as const;
const shownJobs = 30;

type Filter = Pick<ListOptions, "status" | "type">;

function toRow(job: Job): HTMLLIElement {
  const { id, type, status, stage, progress, attempt, created_at, error, eta, acknowledged_at } = job;
  const isOver = !["pending", "processing"].includes(status);
  const bar = h("progress", { max: 100, value: progress, "aria-label": `${type}, ${progress} percent` });
  const tries = attempt > 1 ? ` · attempt ${attempt}` : "";
  const seen = isOver && acknowledged_at === null ? " · new" : "";
  const words = error ? inPlainWords(error.code) : `${stage}${tries}`;
  const tone = status === "error" ? "bad" : status === "complete" ? "good" : "quiet";
  return h(
    "li",
    { "data-id": id },
    h(
      "span",
      {},
      toThumbnail(job),
      h("a", { href: `#/job/${id}` }, type),
      h("br"),
      h("small", { class: "quiet" }, formatTime(created_at)),
    ),
    isOver ? h("span", { class: tone }, words) : h("span", {}, bar, h("small", { class: "quiet" }, words)),
    h(
      "span",
      { class: tone },
      `${status}${seen}`,
      h("br"),
      h("small", { class: "quiet" }, isOver ? "" : formatEta(eta)),
    ),
  );
}

/** The first picture of a finished video; the link beside it says what it is. */
function toThumbnail({ output }: Job): HTMLElement | null {
  const still = { preload: "metadata", muted: true, playsinline: true, tabindex: -1, "aria-hidden": "true" };
  return output && h("video", { class: "thumb", src: `${output.url}#t=0.1`, ...still });
}

/** A job with what an event tells of it. */
function withEvent(job: Job, event: JobEvent): Job {
  const { status, stage, progress, attempt, message, error, seq } = event;
  return { ...job, status, stage, progress, attempt, message, error, version: seq };
}

/** The newest jobs of a project, live. */
export function showJobs(main: HTMLElement, client: ExportJobs, signal: AbortSignal): void {
  const jobs = new Map<string, Job>();
  const list = h("ul", { class: "jobs", "aria-label": "Jobs" });
  const said = h("p", { role: "status", class: "quiet" }, "Loading …");
  const project = numberInput(readProject(), { step: 1 });
  const status = choice(
    statuses.map((value) => [value, value]),
    "all",
  );
  const type = choice(
    types.map((value) => [value, value]),
    "all",
  );
  let reload = new AbortController();

  const draw = () => {
    const shown = [...jobs.values()].sort((a, b) => b.id.localeCompare(a.id)).slice(0, shownJobs);
    list.replaceChildren(...shown.map(toRow));
    said.textContent = shown.length === 0 ? "No jobs here yet." : "";
  };
  const load = async () => {
    reload.abort();
    reload = new AbortController();
    const both = AbortSignal.any([signal, reload.signal]);
    const projectId = Number(project.value);
    chooseProject(projectId);
    jobs.clear();
    try {
      const filter = toFilter(status.value, type.value);
      const since = await fill(client, { ...filter, projectId, pageSize: shownJobs, signal: both }, jobs);
      draw();
      const wanted = { status: status.value, type: type.value };
      await follow(client, { projectId, since, signal: both }, wanted, jobs, draw);
    } catch (error) {
      if (!both.aborted) {
        said.textContent = messageOf(error);
      }
    }
  };
  const controls = [field("Project", project), field("Status", status), field("Type", type)];
  for (const control of [project, status, type]) {
    control.addEventListener("change", load);
  }
  main.append(h("h2", {}, "Jobs"), h("div", { class: "row" }, ...controls), said, list);
  void load();
}

function toFilter(status: string, type: string): Filter {
  const known = statuses.find((one) => one === status);
  const knownType = types.find((one) => one === type);
  return {
    ...(known === undefined || known === "all" ? {} : { status: known }),
    ...(knownType === undefined || knownType === "all" ? {} : { type: knownType }),
  };
}

/** @returns the instant that the list tells of */
async function fill(client: ExportJobs, options: ListOptions, jobs: Map<string, Job>): Promise<string | null> {
  const first = await client.jobs.page(options);
  for (let page = first; ; page = await client.jobs.page({ ...options, cursor: page.nextCursor })) {
    for (const job of page.jobs) {
      jobs.set(job.id, job);
    }
    if (jobs.size >= shownJobs || page.nextCursor === null) {
      return first.asOf;
    }
  }
}

/** Null for a job that was removed meanwhile. */
async function findJob(client: ExportJobs, id: string, signal: AbortSignal): Promise<Job | null> {
  try {
    return await client.jobs.get(id, { signal });
  } catch (error) {
    if (error instanceof ExportJobsError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

/** The job that an event leads to: what the event does not tell, like the ETA of a job that just began, the job does. */
async function toJobNow(client: ExportJobs, known: Job | null, event: ProjectEvent, signal: AbortSignal) {
  if (event.type === "deleted") {
    return null;
  }
  const isOver = event.type !== "status" && event.type !== "progress";
  const isAskedFor = !known || isOver || known.stage !== event.stage;
  return isAskedFor ? findJob(client, event.job_id, signal) : withEvent(known, event);
}

type Wanted = { status: string; type: string };

function isWanted({ status, type }: Job, wanted: Wanted): boolean {
  const isActive = status === "pending" || status === "processing";
  const fits = wanted.status === "all" || wanted.status === status || (wanted.status === "active" && isActive);
  return fits && (wanted.type === "all" || wanted.type === type);
}

async function follow(
  client: ExportJobs,
  { projectId, since, signal }: { projectId: number; since: string | null; signal: AbortSignal },
  wanted: Wanted,
  jobs: Map<string, Job>,
  draw: () => void,
): Promise<void> {
  for await (const event of client.watchProject(projectId, { since, signal })) {
    const job = await toJobNow(client, jobs.get(event.job_id) ?? null, event, signal);
    if (job && isWanted(job, wanted)) {
      jobs.set(job.id, job);
    } else {
      jobs.delete(event.job_id);
    }
    draw();
  }
}
