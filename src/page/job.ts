import { type ExportJobs, isFinal, type Job, type JobEvent } from "../client/index.ts";
import { LiveJob } from "../client/live.ts";
import { formatBytes, formatEta, formatTime, h, inPlainWords, messageOf } from "./dom.ts";

function toRow({ at, stage, progress, attempt, message, type }: JobEvent): HTMLTableRowElement {
  const what = type === "progress" ? "progress" : stage;
  const cells = [formatTime(at), what, `${progress} %`, String(attempt), message ?? ""];
  return h("tr", {}, ...cells.map((text) => h("td", {}, text)));
}

/** What happened: the history as it was, then each event; of progress the newest. */
function newTimeline(): { element: HTMLElement; add: (event: JobEvent) => void } {
  const head = ["When", "What", "Progress", "Attempt", ""].map((text) => h("th", { scope: "col" }, text));
  const body = h("tbody");
  let last: JobEvent | null = null;
  const add = (event: JobEvent) => {
    if (last && last.seq >= event.seq) {
      return;
    }
    if (last?.type === "progress" && event.type === "progress" && last.attempt === event.attempt) {
      body.lastElementChild?.remove();
    }
    body.append(toRow(event));
    last = event;
  };
  return { element: h("table", {}, h("thead", {}, h("tr", {}, ...head)), body), add };
}

function toResult({ output, id }: Job): HTMLElement | null {
  if (!output) {
    return null;
  }
  const player = h("video", {
    src: output.url,
    controls: true,
    preload: "metadata",
    playsinline: true,
    "aria-label": "The finished video",
  });
  const size = formatBytes(output.size);
  return h(
    "div",
    { class: "result" },
    player,
    h("p", {}, h("a", { href: output.url, download: `${id}.mp4` }, `Download (${size})`)),
  );
}

function toWords(job: Job): string {
  const { stage, progress, error, message, attempt, eta } = job;
  if (isFinal(job)) {
    return error ? `${error.code}: ${error.message} (attempt ${error.attempt})` : "";
  }
  const words = [stage, `${progress} %`, attempt > 1 ? `attempt ${attempt}` : "", message ?? "", formatEta(eta)];
  return words.filter((word) => word !== "").join(" · ");
}

const tones = { pending: "quiet", processing: "quiet", complete: "good", error: "bad", cancelled: "quiet" };

/** How far it is, changed in place: a reader's screen is told of the status alone. */
function newState(): { element: HTMLElement; show: (job: Job) => void } {
  const bar = h("progress", { max: 100, "aria-label": "Progress" });
  const told = h("p", { "aria-live": "polite" });
  const words = h("p", { class: "quiet" });
  const show = (job: Job) => {
    bar.hidden = isFinal(job);
    bar.value = job.progress;
    const text = job.error ? inPlainWords(job.error.code) : job.status;
    if (told.textContent !== text) {
      told.textContent = text;
      told.className = tones[job.status];
    }
    words.textContent = toWords(job);
  };
  return { element: h("div", {}, bar, told, words), show };
}

/** One job: state, result, what was asked for and what happened, live. */
export function showJob(main: HTMLElement, client: ExportJobs, signal: AbortSignal, id: string): void {
  const live = new LiveJob(client, id);
  const [state, timeline] = [newState(), newTimeline()];
  const [result, actions] = [h("div"), h("div", { class: "row" })];
  const said = h("p", { role: "alert", class: "bad" });
  const title = h("h2", {}, "Job");
  const params = h("pre", { tabindex: 0, "aria-label": "Parameters" });
  let history: Promise<void> | null = null;
  let shown = "";
  let leave = () => {};

  const act = (text: string, work: () => Promise<unknown>) => {
    const onclick = async () => {
      said.textContent = "";
      await work().catch((error: unknown) => {
        said.textContent = signal.aborted ? "" : messageOf(error);
      });
    };
    return h("button", { type: "button", onclick }, text);
  };
  const change = (text: string, work: () => Promise<Job>) => act(text, async () => live.put(await work()));
  const remove = async () => {
    // Nobody asks for the job any more: the browser would report that it is gone.
    leave();
    await client.jobs.delete(id).catch((error: unknown) => {
      follow();
      throw error;
    });
    location.assign("#/jobs");
  };
  const toActions = (job: Job) => {
    if (!isFinal(job)) {
      return [change("Cancel", () => client.jobs.cancel(id))];
    }
    const retry = job.status === "complete" ? [] : [change("Try again", () => client.jobs.retry(id))];
    const acknowledged = job.acknowledged_at === null;
    const seen = acknowledged ? "Mark as seen" : "Mark as new";
    return [...retry, change(seen, () => client.jobs.amend(id, { acknowledged })), act("Delete", remove)];
  };
  /** What does not change with every event is left alone: the focus may be in it. */
  const showRest = (job: Job) => {
    const now = [job.status, job.acknowledged_at, job.output?.etag, JSON.stringify(job.metadata)].join();
    if (now !== shown) {
      shown = now;
      title.textContent = `${job.type} · ${job.status}`;
      params.textContent = JSON.stringify({ params: job.params, metadata: job.metadata }, null, 2);
      actions.replaceChildren(...toActions(job));
      result.replaceChildren(toResult(job) ?? "");
    }
  };
  const show = () => {
    const { job, event, error } = live.getSnapshot();
    said.textContent = error ? messageOf(error) : said.textContent;
    if (job) {
      state.show(job);
      showRest(job);
      history ??= client.jobs.history(id, { signal }).then((events) => events.forEach(timeline.add));
      history.then(() => event && timeline.add(event)).catch(() => undefined);
    }
  };
  const follow = () => {
    leave = live.subscribe(show);
    show();
  };
  signal.addEventListener("abort", () => leave());
  main.append(
    title,
    said,
    state.element,
    actions,
    result,
    h("h3", {}, "What was asked for"),
    params,
    h("h3", {}, "What happened"),
    timeline.element,
  );
  follow();
}
