import { describe, expect, it } from "vitest";
import type { AttemptIn } from "../../src/core/attempt.ts";
import { type JobState, newJobState } from "../../src/core/job-state.ts";
import { auditChange } from "./audit-change.ts";
import { auditState } from "./audit-state.ts";
import { auditTries } from "./audit-tries.ts";

const job = newJobState({
  id: "01990000-0000-7000-8000-000000000001",
  tenantId: "t",
  projectId: 1,
  userId: null,
  type: "overlay",
  params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
  inputVideoKey: "input/t/u/a.mp4",
  inputSize: 1,
  maxRetries: 3,
  startWithinMs: null,
  maxRunMs: null,
  createdAt: 0,
  reused: null,
  webhook: null,
});

const submitting = {
  ...{ number: 1, nonce: "n", outputKey: "k", endpointId: "e", openedAt: 0, rungAt: null, hint: null, strays: [] },
  policy: { executionTimeoutMs: 1, ttlMs: 1 },
  ...({ phase: "submitting", sentAt: 0, tries: 0, heardAt: null } as const),
};

describe("the audit of a saved state", () => {
  it("finds nothing wrong with a job that is new", () => {
    expect(auditState(job)).toEqual([]);
  });

  it.each<[string, Partial<JobState>]>([
    ["a job is either over, or has an end to come", { status: "cancelled" }],
    ["an output belongs to a complete job", { output: { key: "k", size: 1, etag: "e" } }],
    ["a job under way goes on with something", { nextAttemptAt: null }],
    ["progress is a percentage", { progress: 101 }],
    ["no event is ahead of its version", { lastSeq: 2 }],
    ["readers see the run that there is", { attempts: [submitting], nextAttemptAt: null, runId: "r" }],
    ["job.waitingSince is NaN", { waitingSince: Number.NaN }],
  ])("notices: %s", (rule, broken) => {
    expect(auditState({ ...job, ...broken })).toContain(rule);
  });

  it("notices an attempt that lacks a field of its phase", () => {
    const { tries: _, ...lacking } = submitting;
    const broken = JSON.parse(JSON.stringify({ ...job, attempts: [lacking], nextAttemptAt: null }));
    expect(auditState(broken)).toEqual(["attempt 1 has the fields of its phase"]);
  });
});

describe("the audit of a change", () => {
  it("finds nothing wrong with one that changes nothing", () => {
    expect(auditChange(job, job)).toEqual([]);
  });

  it.each<[string, Partial<JobState>, Partial<JobState>]>([
    ["a status leads only where it may", { status: "complete" }, { status: "pending" }],
    ["versions rise, and events with them", { version: 2 }, { version: 1 }],
    ["progress rises within an attempt", { progress: 2 }, { progress: 1 }],
    ["a retry begins anew", { status: "error" }, { status: "pending", waitingSince: 5 }],
    ["attempt 1 is not forgotten", { attempts: [submitting] }, { attempts: [] }],
    [
      "attempt 1 is known by what it was opened with",
      { attempts: [submitting] },
      { attempts: [{ ...submitting, nonce: "other" }] },
    ],
  ])("notices: %s", (rule, before, after) => {
    expect(auditChange({ ...job, ...before }, { ...job, ...after })).toContain(rule);
  });
});

const closed = (number: number, outcome: AttemptIn<"closed">["outcome"]): AttemptIn<"closed"> => ({
  ...{
    number,
    nonce: "n",
    outputKey: `k${number}`,
    endpointId: "e",
    openedAt: 0,
    rungAt: null,
    hint: null,
    strays: [],
  },
  policy: { executionTimeoutMs: 1, ttlMs: 1 },
  ...{ phase: "closed", sentAt: 0, run: null, outcome, closedAt: 0, cancelsOwed: [], usageOwed: false },
});

describe("the audit of tries", () => {
  it.each<[string, Partial<JobState>]>([
    ["no more is tried than the owner allows", { attempts: [1, 2, 3, 4, 5].map((n) => closed(n, "handler_failed")) }],
    ["what no try can mend is not tried again", { attempts: [closed(1, "invalid_params"), closed(2, "complete")] }],
    ["a job that is tried again says why", { attempts: [closed(1, "handler_failed")] }],
    ["a job that waits for its next attempt says so", { stage: "rendering" }],
    ["an attempt on its way says so", { attempts: [submitting], nextAttemptAt: null }],
  ])("notices: %s", (rule, broken) => {
    expect(auditTries(job)).toEqual([]);
    expect(auditTries({ ...job, ...broken })).toContain(rule);
  });
});
