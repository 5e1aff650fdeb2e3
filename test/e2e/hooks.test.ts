import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Window } from "happy-dom";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sendVideo } from "../../local/files.ts";
import type { Stack } from "../../local/stack.ts";
import { ExportJobs } from "../../src/client/index.ts";
import { useExport, useExports } from "../../src/client/react.ts";
import { finishRun, takeRun } from "./handler.ts";
import { startTestStack } from "./test-stack.ts";

// Only the document is a stand-in: the hooks speak to the service over Node's own fetch.
const window = new Window();
Object.assign(globalThis, { window, document: window.document });

let stack: Stack;
let dir = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-hooks-"));
  stack = await startTestStack({ dataDir: join(dir, "data"), workers: 0, settings: { POLL_MIN_MS: 300 } });
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

it("useExport and useExports show a job of the service from its beginning to its end", async () => {
  writeFileSync(join(dir, "match.mp4"), "a video");
  const client = new ExportJobs({ url: stack.url, token: stack.apiKey });
  const key = await sendVideo(client, join(dir, "match.mp4"), 9);
  const params = { clips: [{ start_time: 0, end_time: 1 }] };
  const { id } = await client.jobs.create({ project_id: 9, type: "annotate", input_video_key: key, params });
  const Component = () => {
    const { job } = useExport(client, id);
    const { exports } = useExports(client, 9);
    return `${job?.stage} / ${exports.map((one) => `${one.id === id} ${one.stage}`).join(" ")}`;
  };
  const container = document.createElement("div");
  const root = createRoot(container);
  root.render(createElement(Component));
  const shows = async (text: string) => {
    for (let tries = 0; tries < 300 && container.textContent !== text; tries++) {
      await sleep(20);
    }
    expect(container.textContent).toBe(text);
  };
  const run = await takeRun(stack);
  await fetch(run.input.progress_url, { method: "POST", body: '{"progress": 30, "stage": "rendering"}' });
  await shows("rendering / true rendering");
  await finishRun(stack, run, "a rendered video");
  await shows("done / true done");
  await client.jobs.delete(id);
  await shows("done / ");
  root.unmount();
});
