import { type ExportJobs, isFinal, type Job } from "../client/index.ts";
import { LiveList, type LiveListOptions } from "../client/live.ts";
import { choice, field, formatEta, formatTime, h, inPlainWords, messageOf, numberInput } from "./dom.ts";
import { chooseProject, readProject, toProject } from "./session.ts";

const statuses = ["all", "active", "complete", "error", "cancelled"] as const;
const types = ["all", "framing", "overlay", "annotate"] as const;
const shownJobs = 30;

function toRow(job: Job): HTMLLIElement {
  const { id, type, status, stage, progress, attempt, created_at, error, eta, acknowledged_at } = job;
  const isOver = isFinal(job);
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

/** Shows jobs in a list. A row whose job is as it was stays, with what is focused in it. */
function newRows(list: HTMLElement): (jobs: readonly Job[]) => void {
  const rows = new Map<string, { job: Job; row: HTMLLIElement }>();
  const rowOf = (job: Job): HTMLLIElement => {
    const known = rows.get(job.id);
    if (known?.job === job) {
      return known.row;
    }
    const row = toRow(job);
    const isFocused = known?.row.contains(document.activeElement);
    known?.row.replaceWith(row);
    rows.set(job.id, { job, row });
    if (isFocused) {
      row.querySelector("a")?.focus();
    }
    return row;
  };
  return (jobs) => {
    const ids = new Set(jobs.map(({ id }) => id));
    for (const [id, { row }] of rows) {
      if (!ids.has(id)) {
        row.remove();
        rows.delete(id);
      }
    }
    for (const [index, job] of jobs.entries()) {
      const row = rowOf(job);
      if (list.children[index] !== row) {
        list.insertBefore(row, list.children[index] ?? null);
      }
    }
  };
}

/** The newest jobs of a project, live. */
export function showJobs(main: HTMLElement, client: ExportJobs, signal: AbortSignal): void {
  const list = h("ul", { class: "jobs", "aria-label": "Jobs" });
  const said = h("p", { role: "status", class: "quiet" });
  const project = numberInput(readProject(), { step: 1 });
  const status = choice(
    statuses.map((value) => [value, value]),
    "all",
  );
  const type = choice(
    types.map((value) => [value, value]),
    "all",
  );
  const draw = newRows(list);
  let leave = () => {};

  const load = () => {
    leave();
    draw([]);
    const projectId = toProject(project.value);
    if (projectId === null) {
      said.textContent = "A project is a number.";
      return;
    }
    chooseProject(projectId);
    const live = new LiveList(client, { projectId, limit: shownJobs, ...toFilter(status.value, type.value) });
    const show = () => {
      const { jobs, error } = live.getSnapshot();
      draw(jobs ?? []);
      said.textContent = error ? messageOf(error) : jobs === null ? "Loading …" : jobs[0] ? "" : "No jobs here yet.";
    };
    leave = live.subscribe(show);
    show();
  };
  const controls = [field("Project", project), field("Status", status), field("Type", type)];
  for (const control of [project, status, type]) {
    control.addEventListener("change", load);
  }
  signal.addEventListener("abort", () => leave());
  main.append(h("h2", {}, "Jobs"), h("div", { class: "row" }, ...controls), said, list);
  load();
}

function toFilter(status: string, type: string): Pick<LiveListOptions, "status" | "type"> {
  const known = statuses.find((one) => one === status);
  const knownType = types.find((one) => one === type);
  return {
    ...(known === undefined || known === "all" ? {} : { status: known }),
    ...(knownType === undefined || knownType === "all" ? {} : { type: knownType }),
  };
}
