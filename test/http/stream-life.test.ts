import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { toTimestamp } from "../../src/core/time.ts";
import { newWatchToken, watchTokenTtlMs } from "../../src/core/tokens.ts";
import { getSettings } from "../../src/env.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { api, call, createJob, tenantId } from "../setup/job.ts";

const soonMs = 400;
const graceSeconds = 60;

/** Credentials that end in a moment, each for a job of user u_1. */
const credentials: Readonly<Record<string, (jobId: string) => Promise<string>>> = {
  "a key": () => newKey({ expiresAt: toTimestamp(Date.now() + soonMs) }),
  "a JWT": () => newJwt({ exp: (Date.now() + soonMs) / 1000 - graceSeconds }),
  "a client_token": (jobId) =>
    newWatchToken(getSettings(env).signingKeys, { jobId, tenantId }, Date.now() + soonMs - watchTokenTtlMs),
};

/** How a stream is asked for, and what its end looks like. */
const streams = {
  events: async (id: string, credential: string) => {
    const headers = { ...bearer(credential), accept: "text/event-stream" };
    const response = await call(`/api/jobs/${id}/events`, { headers });
    expect(response.status).toBe(200);
    await response.text();
    return "clean";
  },
  ws: async (id: string, credential: string) => {
    const { webSocket } = await call(`/api/jobs/${id}/ws`, {
      headers: { ...bearer(credential), upgrade: "websocket" },
    });
    const closed = new Promise<number>((resolve) => {
      webSocket?.addEventListener("close", ({ code }) => resolve(code));
    });
    webSocket?.accept();
    return closed;
  },
};

describe("an open stream", () => {
  const cases = Object.keys(credentials).flatMap((name) => [
    { name, kind: "events" as const, end: "clean" },
    { name, kind: "ws" as const, end: 1001 },
  ]);

  it.each(cases)("/$kind ends with $name, which then opens none", async ({ name, kind, end }) => {
    const { id } = await createJob({ user_id: "u_1" });
    const startedAt = Date.now();
    const credential = (await credentials[name]?.(id)) ?? "";
    expect(await streams[kind](id, credential)).toBe(end);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(soonMs - 50);
    // Nobody comes back in vain until the door closes too.
    expect((await call(`/api/jobs/${id}/events`, { headers: bearer(credential) })).status).toBe(401);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });
});
