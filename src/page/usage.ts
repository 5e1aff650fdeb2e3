import type { ExportJobs } from "../client/index.ts";
import type { UsageReport } from "../contract/usage.ts";
import { formatBytes, h, messageOf } from "./dom.ts";

const svgNamespace = "http://www.w3.org/2000/svg";
const [width, height, foot] = [720, 180, 20];

type Day = { day: string; jobs: number; gpuSeconds: number; bytes: number };

function draw(tag: string, attributes: Readonly<Record<string, string | number>>, text = ""): SVGElement {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.textContent = text;
  return element;
}

/** The report's days, projects added up. */
function toDays({ data }: UsageReport): Day[] {
  const days = new Map<string, Day>();
  for (const { day = "", jobs, gpu_ms, bytes_out } of data) {
    const { complete, error, cancelled } = jobs;
    const before = days.get(day) ?? { day, jobs: 0, gpuSeconds: 0, bytes: 0 };
    const added = { jobs: before.jobs + complete + error + cancelled, gpuSeconds: before.gpuSeconds + gpu_ms / 1000 };
    days.set(day, { day, ...added, bytes: before.bytes + bytes_out });
  }
  return [...days.values()];
}

/** Bars of GPU time per day. The table below tells the same to who does not see them. */
function toChart(days: readonly Day[]): SVGElement {
  const chart = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "GPU seconds per day" });
  const most = Math.max(1, ...days.map(({ gpuSeconds }) => gpuSeconds));
  const step = width / Math.max(14, days.length);
  for (const [index, { day, gpuSeconds }] of days.entries()) {
    const tall = ((height - foot - 14) * gpuSeconds) / most;
    const x = index * step;
    chart.append(
      draw("rect", { x: x + 3, y: height - foot - tall, width: step - 6, height: tall, fill: "var(--accent)", rx: 2 }),
      draw("text", { x: x + 3, y: height - 6 }, day.slice(5)),
      draw("text", { x: x + 3, y: height - foot - tall - 3 }, `${Math.round(gpuSeconds)} s`),
    );
  }
  return chart;
}

function toTable(days: readonly Day[]): HTMLElement {
  const head = ["Day", "Jobs", "GPU seconds", "Made"].map((text) => h("th", { scope: "col" }, text));
  const rows = days.map(({ day, jobs, gpuSeconds, bytes }) =>
    h("tr", {}, ...[day, String(jobs), gpuSeconds.toFixed(1), formatBytes(bytes)].map((text) => h("td", {}, text))),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
}

/** Usage of the last 30 days. */
export function showUsage(main: HTMLElement, client: ExportJobs, signal: AbortSignal): void {
  const said = h("p", { role: "status", class: "quiet" }, "Loading …");
  const body = h("div");
  main.append(h("h2", {}, "Usage"), said, body);
  client.usage({ signal }).then(
    (report) => {
      const days = toDays(report);
      said.textContent = days.length === 0 ? "Nothing was used in the last 30 days." : "";
      body.replaceChildren(...(days.length === 0 ? [] : [toChart(days), toTable(days)]));
    },
    (error: unknown) => {
      said.textContent = signal.aborted ? "" : messageOf(error);
    },
  );
}
