import { createExecutionContext, env } from "cloudflare:test";
import { expect } from "vitest";
import { serve } from "../../src/app.ts";
import { type JobDeleted, JobEvent, ProjectEvent } from "../../src/contract/event.ts";
import { authorization } from "./job.ts";

export type Told = { id: string; type: string; event: JobEvent };

/** Waits for what a test is sure to see in the end. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await scheduler.wait(10);
  }
}

/** Reads a stream of server-sent events as it comes, but for its pauses. */
export function readStream(response: Response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const told: Told[] = [];
  const deleted: JobDeleted[] = [];
  const state = { text: "", isOver: false, isPaused: false };
  let buffer = "";
  const take = (frame: string) => {
    const [, id = "", type = "", data] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(frame) ?? [];
    const event = data === undefined ? null : ProjectEvent.parse(JSON.parse(data));
    if (event?.type === "deleted") {
      deleted.push(event);
    } else if (event) {
      told.push({ id, type, event: JobEvent.parse(event) });
    }
  };
  const reading = (async () => {
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      state.text += chunk.value;
      await until(() => !state.isPaused);
      const frames = (buffer + chunk.value).split("\n\n");
      buffer = frames.pop() ?? "";
      frames.forEach(take);
    }
    state.isOver = true;
  })();
  const close = async () => {
    await reader?.cancel();
    await reading;
  };
  return { told, deleted, state, close };
}

type Watch = { headers?: Record<string, string>; query?: string; bindings?: Env };

/** Opens a project's stream; `told` grows as it goes on, until it is closed. */
export async function watchProject(projectId: number, { headers = {}, query = "", bindings = env }: Watch = {}) {
  const url = new URL(`/api/projects/${projectId}/events${query}`, env.PUBLIC_BASE_URL);
  const request = new Request(url, { headers: { ...authorization, ...headers } });
  const response = await serve(request, bindings, createExecutionContext());
  expect(response.status).toBe(200);
  return { response, ...readStream(response) };
}
