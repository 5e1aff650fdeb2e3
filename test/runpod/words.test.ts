import { describe, expect, it } from "vitest";
import { StatusAnswer, toRunReport } from "../../src/runpod/words.ts";

/** The status bodies that RunPod has been seen to send, and what the engine hears. */
describe("RunPod's words", () => {
  const read = (body: object) => toRunReport(StatusAnswer.parse({ id: "abc-e1", ...body }));

  it.each([
    [{ status: "IN_QUEUE" }, { word: "queued" }],
    [
      { status: "IN_PROGRESS", delayTime: 106401, workerId: "w" },
      { word: "running", delayMs: 106401, progress: null },
    ],
    [
      { status: "RUNNING", output: { progress: 50 } },
      { word: "running", progress: { progress: 50, stage: null, message: null } },
    ],
    [
      { status: "IN_PROGRESS", output: 12 },
      { word: "running", progress: { progress: 12 } },
    ],
    [
      { status: "IN_PROGRESS", output: "halfway" },
      { word: "running", progress: null },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: 500 } },
      { word: "running", progress: null },
    ],
    [
      { status: "COMPLETED", delayTime: 31618, executionTime: 1437, output: {} },
      { word: "completed", executionMs: 1437 },
    ],
    [{ status: "COMPLETED" }, { word: "completed", delayMs: null, executionMs: null }],
    [
      { status: "COMPLETED", executionTime: "soon" },
      { word: "completed", executionMs: null },
    ],
    [
      { status: "COMPLETED", output: { error: "invalid_params: no" } },
      { word: "failed", code: "invalid_params", message: "no" },
    ],
    [
      { status: "FAILED", error: '{"error_type":"X","error_message":"out of\\nmemory","error_traceback":"t"}' },
      { word: "failed", code: "handler_failed", message: "out of memory" },
    ],
    [
      { status: "FAILED", error: "invalid_params: crop outside" },
      { word: "failed", code: "invalid_params", message: "crop outside" },
    ],
    [
      { status: "FAILED", error: "executionTimeout exceeded" },
      { word: "failed", code: "handler_timeout" },
    ],
    [
      { status: "FAILED", error: "job timed out after 1 retries" },
      { word: "failed", code: "handler_failed" },
    ],
    [
      { status: "FAILED", error: { deep: 1 } },
      { word: "failed", code: "handler_failed" },
    ],
    [{ status: "TIMED_OUT" }, { word: "failed", code: "handler_timeout" }],
    [{ status: "CANCELLED" }, { word: "failed", code: "cancelled_by_provider" }],
  ])("%j", (body, heard) => {
    expect(read(body)).toMatchObject(heard);
  });

  it("what is no status is no word", () => {
    for (const body of [null, [], {}, { id: "a" }, { id: "a", status: "DONE" }, { id: "../x", status: "IN_QUEUE" }]) {
      expect(StatusAnswer.safeParse(body).success).toBe(false);
    }
  });
});
