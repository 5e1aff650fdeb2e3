import type { ExportJobs, Job, JobEvent } from "../client/index.ts";
import { formatBytes, formatEta, formatTime, h, inPlainWords, messageOf } from "./dom.ts";

const isOver = ({ status }: Job) => !["pending", "processing"].includes(status);

function toTimeline(events: readonly JobEvent[]): HTMLElement {
  const rows = events.map(({ at, stage, progress, attempt, message, type }) =>
    h(
      "tr",
      {},
      ...[
        formatTime(at),
        type === "progress" ? "progress" : stage,
        `${progress} %`,
        String(attempt),
        message ?? "",
      ].map((text) => h("td", {}, text)),
    ),
  );
  const head = ["When", "What", "Progress", "Attempt", ""].map((text) => h("th", { scope: "col" }, text));
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
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

function toState(job: Job): HTMLElement {
  const { status, stage, progress, error, message, attempt, eta } = job;
  if (error) {
    return h(
      "p",
      { class: "bad" },
      `${inPlainWords(error.code)} `,
      h("small", {}, `${error.code}: ${error.message} (attempt ${error.attempt})`),
    );
  }
  if (isOver(job)) {
    return h("p", { class: status === "complete" ? "good" : "quiet" }, status);
  }
  const words = [stage, `${progress} %`, attempt > 1 ? `attempt ${attempt}` : "", message ?? "", formatEta(eta)];
  return h(
    "div",
    {},
    h("progress", { max: 100, value: progress, "aria-label": "Progress" }),
    h("p", { class: "quiet" }, words.filter((word) => word !== "").join(" · ")),
  );
}

/** One job: state, result, what was asked for and what happened, live. */
export function showJob(main: HTMLElement, client: ExportJobs, signal: AbortSignal, id: string): void {
  const [state, result, actions, timeline] = [
    h("div", { "aria-live": "polite" }),
    h("div"),
    h("div", { class: "row" }),
    h("div"),
  ];
  const said = h("p", { role: "alert", class: "bad" });
  const title = h("h2", {}, "Job");
  const params = h("pre", { tabindex: 0, "aria-label": "Parameters" });
  let shownVersion = 0;
  let following = new AbortController();

  const act = (text: string, work: () => Promise<unknown>, then: () => unknown = follow) => {
    const onclick = async () => {
      try {
        await work();
        await then();
      } catch (error) {
        said.textContent = messageOf(error);
      }
    };
    return h("button", { type: "button", onclick }, text);
  };
  const draw = async () => {
    const { signal: shown } = following;
    const job = await client.jobs.get(id, { signal: shown });
    title.textContent = `${job.type} · ${job.status}`;
    params.textContent = JSON.stringify({ params: job.params, metadata: job.metadata }, null, 2);
    state.replaceChildren(toState(job));
    if (job.version !== shownVersion && isOver(job)) {
      result.replaceChildren(toResult(job) ?? "");
    }
    shownVersion = job.version;
    actions.replaceChildren(...toActions(job));
    timeline.replaceChildren(toTimeline(await client.jobs.history(id, { signal: shown })));
  };
  const toActions = (job: Job) => {
    if (!isOver(job)) {
      return [act("Cancel", () => client.jobs.cancel(id))];
    }
    const retry = job.status === "complete" ? [] : [act("Try again", () => client.jobs.retry(id))];
    const seen = act(
      job.acknowledged_at ? "Mark as new" : "Mark as seen",
      () => client.jobs.amend(id, { acknowledged: !job.acknowledged_at }),
      draw,
    );
    const remove = act(
      "Delete",
      () => {
        // Nobody asks for the job any more: the browser would report that it is gone.
        following.abort();
        return client.jobs.delete(id).catch((error: unknown) => {
          void follow();
          throw error;
        });
      },
      () => location.assign("#/jobs"),
    );
    return [...retry, seen, remove];
  };
  const follow = async () => {
    following.abort();
    following = new AbortController();
    const { signal: shown } = following;
    try {
      said.textContent = "";
      await draw();
      for await (const _event of client.watch(id, { signal: shown })) {
        await draw();
      }
    } catch (error) {
      if (!shown.aborted) {
        said.textContent = messageOf(error);
      }
    }
  };
  signal.addEventListener("abort", () => following.abort());
  main.append(
    title,
    said,
    state,
    actions,
    result,
    h("h3", {}, "What was asked for"),
    params,
    h("h3", {}, "What happened"),
    timeline,
  );
  void follow();
}
