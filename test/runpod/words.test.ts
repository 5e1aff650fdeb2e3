import fc from "fast-check";
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
      { status: "IN_PROGRESS", output: "42" },
      { word: "running", progress: { progress: 42, stage: null, message: null } },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: " 42.5 % " } },
      { word: "running", progress: { progress: 42.5 } },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: 42.7, stage: null, message: null } },
      { word: "running", progress: { progress: 42.7, stage: null, message: null } },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: 7, stage: 3, message: ["a"] } },
      { word: "running", progress: { progress: 7, stage: null, message: null } },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: 7, stage: "s".repeat(9_000) } },
      { word: "running", progress: { progress: 7, stage: `${"s".repeat(99)}…` } },
    ],
    [
      { status: "IN_PROGRESS", output: { progress: "1e1" } },
      { word: "running", progress: null },
    ],
    [{ status: "in_progress" }, { word: "running" }],
    [{ status: "In Progress" }, { word: "running" }],
    [{ status: "Completed" }, { word: "completed" }],
    [{ status: "in-queue" }, { word: "queued" }],
    [{ status: "COMPLETED", output: { error: null } }, { word: "completed" }],
    [{ status: "COMPLETED", output: { error: {} } }, { word: "completed" }],
    [{ status: "COMPLETED", output: [{ frame: 1 }] }, { word: "completed" }],
    [
      { status: "COMPLETED", output: [{ frame: 1 }, { error: "out of memory" }] },
      { word: "failed", code: "handler_failed", message: "out of memory" },
    ],
    [
      { status: "COMPLETED", output: { error: true } },
      { word: "failed", code: "handler_failed", message: "The handler failed without saying why." },
    ],
    [
      { status: "FAILED", output: { error: { message: "out of memory" } } },
      { word: "failed", code: "handler_failed", message: "out of memory" },
    ],
    [{ status: "FAILED" }, { word: "failed", message: "The handler failed without saying why." }],
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
      { word: "failed", code: "handler_failed", message: "The handler failed without saying why." },
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

const frames = 'Traceback (most recent call last):\n  File "/worker/secret/handler.py", line 7, in run\n    boom()\n';
const ofSdk = (message: string) => ({
  error_type: "<class 'RuntimeError'>",
  error_message: message,
  error_traceback: `${frames}RuntimeError: ${message}\n`,
  worker_id: "w",
});
const ofGenerator = (message: string) => `handler: ${message} \ntraceback: ${frames}RuntimeError: ${message}\n`;

/** Each way in which a handler's words have been seen to come, around the same words. */
const wrappings: Record<string, (message: string) => unknown> = {
  "plain text": (message) => message,
  "an exception of the SDK": (message) => JSON.stringify(ofSdk(message)),
  "an exception of the SDK in a JSON string": (message) => JSON.stringify(JSON.stringify(ofSdk(message))),
  "an exception of the SDK, cut off": (message) => JSON.stringify(ofSdk(message)).slice(0, -60),
  "a generator's exception": ofGenerator,
  "a generator's exception in JSON": (message) => JSON.stringify({ error: ofGenerator(message) }),
  "a generator's exception, its lines escaped": (message) => ofGenerator(message).replaceAll("\n", "\\n"),
  "an exception as Python prints it": (message) => `ValueError('${message}')`,
  "a dict as Python prints it": (message) => `{'code': 7, 'message': '${message}', 'error_traceback': '${frames}'}`,
  "text with a traceback behind it": (message) => `${message}\n\nOriginal ${frames}RuntimeError: other`,
  "text with a traceback in triple quotes": (message) => `${message}\n"""\n${frames}RuntimeError: other\n"""`,
  "text with a frame and no title": (message) => `${message}\n  File "/worker/secret/handler.py", line 7, in run`,
  "a stack of JavaScript": (message) => `${message}\n    at run (/worker/secret/handler.js:7:11)`,
  "an object with message": (message) => ({ code: 7, message }),
  "an object with error_message": (message) => ofSdk(message),
  "an object with error": (message) => ({ error: message, worker: "w" }),
  "an object with detail": (message) => ({ detail: message }),
  "a list of details": (message) => ({ detail: [{ loc: ["body"], msg: message }] }),
  "objects in objects": (message) => ({ error: { error: { message: JSON.stringify({ message }) } } }),
  "a list": (message) => [message],
  "a traceback as a list of its lines": (message) => ({
    error_message: ofGenerator(message).split("\n"),
  }),
  "a list of objects": (message) => [null, { message }],
};

describe("a handler's words", () => {
  const read = (body: object) => toRunReport(StatusAnswer.parse({ id: "abc-e1", ...body }));

  describe.each(Object.entries(wrappings))("as %s", (_name, wrap) => {
    it.each([
      ["CUDA out of memory", "handler_failed", "CUDA out of memory"],
      ["invalid_params: crop outside", "invalid_params", "crop outside"],
      ["no [brackets], no 50 %: /app/model.bin", "handler_failed", "no [brackets], no 50 %: /app/model.bin"],
    ])("%s", (message, code, said) => {
      for (const body of [
        { status: "FAILED", error: wrap(message) },
        { status: "COMPLETED", output: { error: wrap(message) } },
      ]) {
        expect(read(body)).toMatchObject({ word: "failed", code, message: said });
      }
    });
  });

  it.each([
    ["ValueError: invalid_params: too wide", "invalid_params", "too wide"],
    ["handler: my.errors.Refused: invalid_params: too wide", "invalid_params", "too wide"],
    [["first", "invalid_params: too wide"], "invalid_params", "too wide"],
    ["invalid_params:", "invalid_params", "The handler refused the params."],
    ["it was not about invalid_params: really", "handler_failed", "it was not about invalid_params: really"],
    [["one", { message: "two" }, 3], "handler_failed", "one; two; 3"],
    [{ error_message: "", error_type: "<class 'my.errors.Lost'>" }, "handler_failed", "my.errors.Lost"],
    [{ code: 7, worker: "w" }, "handler_failed", "code 7"],
    [ofGenerator(""), "handler_failed", "RuntimeError:"],
    [`${frames}RuntimeError: deep`, "handler_failed", "RuntimeError: deep"],
    ["handler: boom \ntraceback: NoneType: None\n", "handler_failed", "boom"],
    [frames, "handler_failed", "The handler failed without saying why."],
    [
      `${frames}ValidationError: 1 error\nwidth\n  too wide\n`,
      "handler_failed",
      "ValidationError: 1 error width too wide",
    ],
    [
      `${frames}ValueError: invalid_params: 1 error\n  too wide\nsee above`,
      "invalid_params",
      "1 error too wide see above",
    ],
    [`${frames}    ^^^^^^\nKeyError: 'a'\n\n${frames}RuntimeError: last`, "handler_failed", "RuntimeError: last"],
    [{ traceback: `${frames}RuntimeError: only there` }, "handler_failed", "RuntimeError: only there"],
    [{ error_traceback: `${frames}ValueError: invalid_params: no`, code: 7 }, "invalid_params", "no"],
    [{ traceback: "/worker/secret/handler.py:7", code: 7 }, "handler_failed", "code 7"],
    ["<class 'my.Refused'>: invalid_params: too wide", "invalid_params", "too wide"],
    ["('invalid_params: too wide',)", "invalid_params", "too wide"],
    [{ error: ["executionTimeout exceeded"] }, "handler_timeout", "RunPod stopped the run: it took too long."],
    ["[Errno 2] No such file", "handler_failed", "[Errno 2] No such file"],
    [`{"message": "cut o`, "handler_failed", "cut o"],
    [
      { message: { message: { message: { message: { message: { message: { message: "deep" } } } } } } },
      "handler_failed",
      "The handler failed without saying why.",
    ],
  ])("%j", (error, code, message) => {
    expect(read({ status: "FAILED", error })).toMatchObject({ word: "failed", code, message });
  });

  it("never hold a traceback or a worker's path, wherever it stands in whatever wrapping", () => {
    const wrap = fc.constantFrom(...Object.values(wrappings));
    const text = fc.constantFrom(
      frames,
      `oom\n${frames}`,
      ofGenerator("oom"),
      ofGenerator(""),
      JSON.stringify(ofSdk("oom")),
    );
    fc.assert(
      fc.property(text, wrap, wrap, (message, inner, outer) => {
        const wrapped = inner(message);
        const error = outer(typeof wrapped === "string" ? wrapped : JSON.stringify(wrapped));
        const said = JSON.stringify(read({ status: "FAILED", error }));
        expect(said).not.toMatch(/traceback \(|secret|line 7|\[object/i);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are read in no time, however long and odd", () => {
    const long = 1_000_000;
    const started = performance.now();
    for (const part of [
      " ",
      "\n",
      "handler: ",
      '{"error":',
      "'",
      '"',
      "\\",
      " at :1",
      'File "',
      "- Traceback ",
      "a: ",
      "[[",
    ]) {
      const text = part.repeat(long / part.length);
      for (const error of [text, `{"message":"${text}`, `${text}${frames}`, `${frames}${text}`, [text]]) {
        read({ status: "FAILED", error });
      }
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
