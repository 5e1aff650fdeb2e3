import { expect, it } from "vitest";
import type { WebhookEventType } from "../../../src/contract/webhook.ts";
import { WebhookEndpoints } from "../../../src/object/webhook-endpoints.ts";
import { WebhookLog } from "../../../src/object/webhook-log.ts";
import type { Post, Posted } from "../../../src/object/webhook-ports.ts";
import { WebhookShell } from "../../../src/object/webhook-shell.ts";
import { createTables } from "../../../src/object/webhook-tables.ts";
import { VirtualClock } from "../clock.ts";
import { NodeSql } from "./node-sql.ts";

const fine: Posted = { status: 204, error: null, retryAfterMs: null };
const silent: Posted = { status: null, error: "no answer", retryAfterMs: null };
const broken: Posted = { status: 500, error: "HTTP 500", retryAfterMs: null };
const gone: Posted = { status: 410, error: "HTTP 410", retryAfterMs: null };

type Answer = (post: Post, clock: VirtualClock, number: number) => Promise<Posted>;

/** A sender whose receivers answer as a test says. */
class Stage {
  readonly clock = new VirtualClock();
  readonly posts: { at: number; id: string; url: string }[] = [];
  readonly endpoints: WebhookEndpoints;
  readonly log: WebhookLog;
  readonly shell: WebhookShell;
  alarms = 0;
  signMs = 0;
  bodiesMade = 0;
  #alarmAt: number | null = null;

  constructor(answer: Answer) {
    const sql = new NodeSql();
    createTables(sql);
    this.endpoints = new WebhookEndpoints(sql);
    this.log = new WebhookLog(sql);
    this.shell = new WebhookShell({
      now: () => this.clock.now,
      chance: () => 0.5,
      endpoints: this.endpoints,
      log: this.log,
      getAlarm: async () => this.#alarmAt,
      setAlarm: (at) => {
        this.#alarmAt = at;
        this.clock.after(at - this.clock.now, () => this.#fire(at));
      },
      post: (_message, _address, post) => {
        this.posts.push({ at: this.clock.now, id: post.headers["webhook-id"] ?? "", url: post.url });
        return answer(post, this.clock, this.posts.length);
      },
      sign: async ({ id }) => {
        await this.clock.sleep(this.signMs);
        return { "webhook-id": id };
      },
      toBody: async () => {
        this.bodiesMade++;
        return "made from the row";
      },
      nextTurn: () => this.clock.sleep(1),
      background: (work) => void work,
      fail: () => {},
    });
  }

  #fire(at: number): void {
    if (this.#alarmAt === at) {
      this.#alarmAt = null;
      this.alarms++;
      this.shell.pump.alarm();
    }
  }

  addEndpoint(url: string, events: WebhookEventType[] = ["job.complete"]): string {
    const endpoint = this.endpoints.add({ url, events, description: "" }, this.clock.now);
    this.shell.endpointsChanged();
    return endpoint?.id ?? "";
  }

  publish(jobId: string, type: WebhookEventType = "job.complete", ownUrl: string | null = null, version = 9): void {
    const message = { tenantId: "t", jobId, version, type, body: `${jobId} ${type}`, createdAt: this.clock.now };
    this.shell.publish({ message, projectId: 1, webhook: ownUrl === null ? null : { url: ownUrl, events: [type] } });
  }

  async run(ms: number): Promise<void> {
    const end = this.clock.now + ms;
    // What was begun just now gets as far as it can.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (await this.clock.step(end));
    this.clock.now = end;
  }
}

it("jobs whose own addresses are dead, each with a path of its own, hold up no endpoint", async () => {
  const stage = new Stage(async ({ url, timeoutMs }, clock) => {
    await clock.sleep(url.includes("dead") ? timeoutMs : 50);
    return url.includes("dead") ? silent : fine;
  });
  stage.addEndpoint("https://good.test/x");
  const start = stage.clock.now;
  for (let second = 0; second < 120; second++) {
    for (let job = 0; job < 10; job++) {
      stage.publish(`${second}-${job}`, "job.complete", `https://dead-${job}.test/h/${second}`);
    }
    await stage.run(1_000);
  }
  const good = stage.posts.filter(({ url }) => url.includes("good"));
  expect(good).toHaveLength(1_200);
  for (const { id, at } of good) {
    expect(at - start - 1_000 * Number(/_(\d+)-/.exec(id)?.[1])).toBeLessThanOrEqual(2_000);
  }
  expect(stage.endpoints.listAddresses().size).toBeLessThanOrEqual(10);
});

it("a try that never ends is made again when its claim is over, and none spins", async () => {
  const stage = new Stage(async (_post, clock, number) => {
    await (number === 1 ? new Promise(() => {}) : clock.sleep(5));
    return fine;
  });
  stage.addEndpoint("https://a.test/x");
  stage.publish("j1");
  await stage.run(3_600_000);
  expect(stage.posts).toHaveLength(2);
  expect(stage.log.listWaiting()).toEqual([]);
  expect(stage.alarms).toBeLessThan(10);
});

it("an old message that is sent anew on a dead endpoint keeps nobody awake", async () => {
  const stage = new Stage(async ({ timeoutMs }, clock) => {
    await clock.sleep(timeoutMs);
    return silent;
  });
  const id = stage.addEndpoint("https://a.test/x");
  stage.publish("j1");
  await stage.run(29.9 * 86_400_000);
  stage.alarms = 0;
  void stage.shell.recover(id, 0);
  await stage.run(2 * 86_400_000);
  expect(stage.alarms).toBeLessThan(200);
});

it("progress that failed on our side does not come after the end", async () => {
  let isAway = true;
  const stage = new Stage(async () => {
    if (isAway) {
      throw new Error("the poster is away");
    }
    return fine;
  });
  stage.addEndpoint("https://a.test/x", ["job.progress", "job.complete"]);
  for (let version = 1; version < 5; version++) {
    stage.publish("j1", "job.progress", null, version);
    await stage.run(1_000);
  }
  isAway = false;
  stage.posts.splice(0);
  stage.publish("j1", "job.complete", null, 9);
  await stage.run(600_000);
  expect(stage.posts.map(({ id }) => id.split("_")[2])).toEqual(["9"]);
});

it("a lane that overflows gives up begins before ends", async () => {
  const stage = new Stage(async ({ timeoutMs }, clock) => {
    await clock.sleep(timeoutMs);
    return silent;
  });
  const id = stage.addEndpoint("https://a.test/x", ["job.complete", "job.processing"]);
  for (let job = 0; job < 5; job++) {
    stage.publish(`end${job}`);
  }
  for (let job = 0; job < 10_050; job++) {
    stage.publish(`begin${job}`, "job.processing");
  }
  const failed = stage.log.list({ endpointId: id }, null, null, 20_000).filter(({ status }) => status === "failed");
  expect(failed.length).toBeGreaterThan(40);
  expect(failed.filter(({ type }) => type === "job.complete")).toEqual([]);
}, 60_000);

it("what an endpoint's old address says is nothing about its new one", async () => {
  const stage = new Stage(async ({ url }, clock) => {
    await clock.sleep(1_000);
    return url.includes("old") ? gone : fine;
  });
  const id = stage.addEndpoint("https://old.test/x");
  stage.publish("j1");
  await stage.run(500);
  const endpoint = stage.endpoints.find(id);
  if (endpoint) {
    stage.endpoints.change(endpoint, { url: "https://new.test/x" }, stage.clock.now);
    stage.shell.endpointsChanged();
  }
  await stage.run(60_000);
  expect(stage.endpoints.find(id)?.status).toBe("enabled");
  expect(stage.posts.map(({ url }) => url)).toEqual(["https://old.test/x", "https://new.test/x"]);
});

it("an endpoint that is told of fewer projects gets nothing more of the others, resent or not", async () => {
  let isBusy = false;
  const stage = new Stage(async () => (isBusy ? broken : fine));
  const id = stage.addEndpoint("https://a.test/x");
  stage.publish("j1");
  await stage.run(1_000);
  isBusy = true;
  stage.publish("j2");
  await stage.run(1_000);
  isBusy = false;
  const endpoint = stage.endpoints.find(id);
  if (endpoint) {
    stage.endpoints.change(endpoint, { project_ids: [2] }, stage.clock.now);
    stage.shell.endpointsChanged();
  }
  expect(stage.shell.resend(`msg_j1_9_${id}`)).toBeNull();
  await stage.run(60_000);
  expect(stage.posts).toHaveLength(2);
  expect(stage.log.list({ endpointId: id }, null, null, 9).map(({ status }) => status)).toEqual([
    "failed",
    "delivered",
  ]);
});

it("all that failed since an instant is recovered, page by page, and no progress", async () => {
  let isDead = true;
  const stage = new Stage(async () => (isDead ? gone : fine));
  const id = stage.addEndpoint("https://a.test/x", ["job.complete", "job.progress"]);
  for (let job = 0; job < 1_300; job++) {
    stage.publish(`j${job}`, job % 13 === 0 ? "job.progress" : "job.complete");
    const endpoint = stage.endpoints.find(id);
    if (endpoint?.status === "disabled") {
      stage.endpoints.change(endpoint, { status: "enabled" }, stage.clock.now);
      stage.shell.endpointsChanged();
    }
    await stage.run(400_000);
  }
  isDead = false;
  const endpoint = stage.endpoints.find(id);
  if (endpoint) {
    stage.endpoints.change(endpoint, { status: "enabled" }, stage.clock.now);
  }
  stage.shell.endpointsChanged();
  await stage.run(400_000);
  const recovering = stage.shell.recover(id, 0);
  await stage.run(3_600_000);
  const left = stage.log.list({ endpointId: id }, null, null, 2_000).filter(({ status }) => status === "failed");
  // Every other job found the endpoint switched off by the 410 before.
  expect(await recovering).toBe(600);
  expect(left.every(({ type }) => type === "job.progress")).toBe(true);
}, 60_000);

it("what is removed while it is signed is not sent", async () => {
  const stage = new Stage(async () => fine);
  stage.signMs = 1_000;
  const id = stage.addEndpoint("https://a.test/x");
  stage.publish("j1", "job.complete", "https://own.test/");
  await stage.run(500);
  stage.shell.removeEndpoint(id);
  stage.shell.dropJob("j1");
  await stage.run(60_000);
  expect(stage.posts).toEqual([]);
});

it("a body is made once, and anew when the link in it has ended", async () => {
  let isDead = true;
  const stage = new Stage(async () => (isDead ? broken : fine));
  const id = stage.addEndpoint("https://a.test/x");
  stage.publish("j1");
  await stage.run(4.5 * 86_400_000);
  expect([stage.posts.length, stage.bodiesMade]).toEqual([10, 0]);
  isDead = false;
  stage.endpoints.noteSuccess(id);
  stage.shell.resend(`msg_j1_9_${id}`);
  await stage.run(3_600_000);
  expect([stage.posts.length, stage.bodiesMade]).toEqual([11, 1]);
});
