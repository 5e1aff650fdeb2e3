import { type ExportJobs, ExportJobsError, type Job, type JobEvent, type ListOptions } from "../client/index.ts";
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
      await fill(client, { ...toFilter(status.value, type.value), projectId, pageSize: shownJobs, signal: both }, jobs);
      draw();
      await follow(client, projectId, { status: status.value, type: type.value }, jobs, draw, both);
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

async function fill(client: ExportJobs, options: ListOptions, jobs: Map<string, Job>): Promise<void> {
  for await (const job of client.jobs.list(options)) {
    jobs.set(job.id, job);
    if (jobs.size >= shownJobs) {
      return;
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

async function follow(
  client: ExportJobs,
  projectId: number,
  wanted: { status: string; type: string },
  jobs: Map<string, Job>,
  draw: () => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of client.watchProject(projectId, { signal })) {
    const known = jobs.get(event.job_id);
    const isOver = event.type !== "status" && event.type !== "progress";
    // What an event does not tell, like the ETA of a job that just began, the job does.
    const isAskedFor = !known || isOver || known.stage !== event.stage;
    const job = isAskedFor ? await findJob(client, event.job_id, signal) : withEvent(known, event);
    if (!job) {
      jobs.delete(event.job_id);
      draw();
      continue;
    }
    const isActive = job.status === "pending" || job.status === "processing";
    const fits = wanted.status === "all" || wanted.status === job.status || (wanted.status === "active" && isActive);
    if (fits && (wanted.type === "all" || wanted.type === job.type)) {
      jobs.set(job.id, job);
    } else {
      jobs.delete(job.id);
    }
    draw();
  }
}
