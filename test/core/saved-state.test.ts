import { describe, expect, it } from "vitest";
import { type FirstState, fromFirstState } from "../../src/core/first-state.ts";
import type { JobState } from "../../src/core/job-state.ts";
import { toKeptProgress } from "../../src/core/kept-progress.ts";
import { fromSavedState, type SavedState, stateVersion, toSavedState } from "../../src/core/saved-state.ts";
import { output, Play, report } from "./play.ts";
import release1 from "./states/release-1.json";
import release2 from "./states/release-2.json";

/** As the text that an object holds: what TypeScript makes of the file is of no interest. */
function read<State>(file: object): Record<string, State> {
  return JSON.parse(JSON.stringify(file));
}

function playOf(job: JobState | null): Play {
  const play = new Play();
  play.job = job ?? expect.fail("the state was not read");
  play.now = 2_000;
  return play;
}

function loadFirst(name: string): Play {
  const { saved, spec } = fromFirstState(read<FirstState>(release1)[name] ?? expect.fail(name));
  return playOf(fromSavedState(saved, spec, null));
}

describe("a state of the first release", () => {
  it.each([
    ["submitting", "submitting"],
    ["throttled", "held"],
    ["unconfirmed", "unconfirmed"],
    ["rendering", "running"],
    ["verifying", "verifying"],
    ["complete", "closed"],
    ["between", "closed"],
  ])("%s goes on as %s", (name, phase) => {
    const play = loadFirst(name);
    expect(play.attempt()).toMatchObject({ phase, nonce: "nonce-1", outputKey: "output/t/j/1.mp4" });
    expect(play.job.version).toBeGreaterThan(1_000);
    expect(["wait", "write_row", "submit", "look", "ask", "clock"]).toContain(play.action.do);
  });

  it("that renders completes, and keeps its progress", () => {
    const play = loadFirst("rendering");
    expect(play.job).toMatchObject({ progress: 40, stage: "rendering", runId: "run-1" });
    play.hear(1, { ...report, word: "completed" });
    play.find();
    expect(play.job).toMatchObject({ status: "complete", output });
  });

  it("that was refused ends in its error after the last look", () => {
    const play = loadFirst("refused");
    expect(play.job.verdict).toMatchObject({ error: { code: "invalid_params" }, looks: [1] });
    play.miss();
    expect(play.job).toMatchObject({ status: "error", error: { code: "invalid_params" } });
  });

  it("from before retries and webhooks were noted has its retries, and owes its notices", () => {
    const play = loadFirst("early");
    expect(play.job).toMatchObject({ attemptsBefore: 0, spec: { webhook: null } });
    play.now = play.job.nextAttemptAt ?? 0;
    play.open("nonce-2").accept(2).fail(2);
    expect([play.job.verdict, play.job.attempts.length]).toEqual([null, 2]);
    play.tell({ kind: "cancel_requested" });
    expect(play.job.audience.untold).toBe(play.job.version);
  });
});

describe("a state of this release", () => {
  it("is read as it was saved", () => {
    for (const [name, { spec, ...saved }] of Object.entries(read<SavedState & Pick<JobState, "spec">>(release2))) {
      expect([name, fromSavedState(saved, spec, null)]).toEqual([name, { ...saved.job, spec }]);
    }
  });

  it("comes back from its text", () => {
    const { job } = new Play().open().accept();
    const saved: SavedState = JSON.parse(JSON.stringify(toSavedState(job, job.version)));
    expect(fromSavedState(saved, job.spec, null)).toEqual(job);
    expect(saved.job).not.toHaveProperty("spec");
  });

  it("goes on above all versions that may have been shown, unless they were kept", () => {
    const { job } = new Play().open().accept();
    const saved = toSavedState(job, job.version + 1_000);
    expect(fromSavedState(saved, job.spec, null)).toMatchObject({ version: job.version + 1_000, progress: 0 });
    const kept = { ...toKeptProgress(job), version: job.version + 7, progress: 24 };
    expect(fromSavedState(saved, job.spec, kept)).toMatchObject({ version: job.version + 7, progress: 24 });
    const older = { ...kept, version: job.version - 1 };
    expect(fromSavedState(saved, job.spec, older)).toMatchObject({ version: job.version + 1_000 });
  });
});

describe("a state of a later release", () => {
  it("is not read", () => {
    const { job } = new Play();
    expect(fromSavedState({ ...toSavedState(job, 1), v: stateVersion + 1 }, job.spec, null)).toBeNull();
  });
});
