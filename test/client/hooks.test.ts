// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, it } from "vitest";
import { ExportJobs, type JobEvent } from "../../src/client/index.ts";
import { useExport, useExports } from "../../src/client/react.ts";

Reflect.set(globalThis, "IS_REACT_ACT_ENVIRONMENT", true);

const event: JobEvent = {
  ...{ seq: 2, type: "status", at: "2026-11-20T17:30:00.000Z", job_id: "j1", attempt: 1, status: "processing" },
  ...{ stage: "rendering", progress: 40, message: null, error: null, output_video_key: null },
};
const frames = (events: JobEvent[]) =>
  events.map((told) => `id: ${told.seq}\nevent: ${told.type}\ndata: ${JSON.stringify(told)}\n\n`);

/** The service's answers, as it gives them: the hooks are under test, not the line. */
function newClient(events: JobEvent[]): ExportJobs {
  const answer = async (input: string | URL | Request) =>
    String(input).includes("/events")
      ? new Response(frames(events).join(""))
      : Response.json({ data: [], next_cursor: null });
  return new ExportJobs({ url: "https://exports.test", token: "t", fetch: answer });
}

async function render(component: () => string): Promise<HTMLElement> {
  const container = document.createElement("div");
  await act(async () => createRoot(container).render(createElement(component)));
  return container;
}

async function shows(container: HTMLElement, text: string): Promise<void> {
  for (let tries = 0; tries < 100 && container.textContent !== text; tries++) {
    await act(async () => new Promise((resolve) => setTimeout(resolve, 10)));
  }
  expect(container.textContent).toBe(text);
}

describe("useExport", () => {
  it("shows a job's newest event, to the end", async () => {
    const done: JobEvent = { ...event, seq: 3, type: "complete", status: "complete", stage: "done", progress: 100 };
    const client = newClient([event, done]);
    const Component = () => {
      const { event: last, error } = useExport(client, "j1");
      return `${last?.stage} ${last?.progress} ${error?.message ?? ""}`;
    };
    await shows(await render(Component), "done 100 ");
  });

  it("waits for a job without an id", async () => {
    const client = newClient([]);
    await shows(await render(() => String(useExport(client, null).event)), "null");
  });
});

describe("useExports", () => {
  it("shows a project's exports as they change", async () => {
    const client = newClient([
      event,
      { ...event, job_id: "j2", seq: 1, progress: 5 },
      { ...event, seq: 5, progress: 60 },
    ]);
    const Component = () => {
      const { exports } = useExports(client, 7);
      return exports.map(({ id, progress }) => `${id}:${progress}`).join(" ");
    };
    await shows(await render(Component), "j2:5 j1:60");
  });
});
