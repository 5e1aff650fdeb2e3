import { describe, expect, it } from "vitest";
import { mayUse } from "../../src/core/access.ts";
import {
  routeKeys as keys,
  methodsAt,
  needOf,
  openPaths,
  pathOf,
  queryTokenPaths,
  type RouteKey,
} from "../../src/core/routes.ts";

const filled = (key: RouteKey) =>
  pathOf(key)
    .replace("{key}", "input/t/x.mp4")
    .replace(/\{\w+\}/g, "x");

describe("the table of routes", () => {
  it("opens a path to everybody only where no route of it needs a credential", () => {
    for (const key of keys) {
      expect(openPaths.test(filled(key)), key).toBe(needOf(key) === null);
      expect(openPaths.test(`${filled(key)}/more`), key).toBe(pathOf(key) === "/files/{key}");
    }
    for (const path of [
      "/",
      "/api",
      "/healthz/",
      "/healthz2",
      "/files/",
      "/openapi.json",
      "/webhooks/runpod/",
      "/x/healthz",
    ]) {
      expect(openPaths.test(path), path).toBe(false);
    }
  });

  it("takes a token in a query only where browsers cannot set a header, and nothing is changed", () => {
    const taking = keys.filter((key) => queryTokenPaths.test(filled(key)));
    expect(taking).toEqual(["GET /api/jobs/{id}/events", "GET /api/jobs/{id}/ws"]);
  });

  it("knows the methods of a path", () => {
    expect(methodsAt("/api/jobs")).toEqual(["HEAD", "POST", "GET"]);
    expect(methodsAt("/files/a/b")).toEqual(["HEAD", "GET", "PUT", "POST", "DELETE"]);
    expect(methodsAt("/webhooks/runpod/x")).toEqual(["POST"]);
    expect(methodsAt("/api/nothing")).toEqual([]);
  });

  it("lets nobody but a backend at what concerns all of a tenant, whatever scopes they hold", () => {
    const ops = keys.flatMap((key) => needOf(key) ?? []).filter(({ scope }) => scope === "ops");
    expect(ops.length).toBeGreaterThan(5);
    const held = { tenantId: "t", scopes: new Set(["ops"] as const), projectIds: null };
    for (const need of ops) {
      expect(mayUse({ ...held, kind: "backend", keyId: "k" }, need)).toBe(true);
      expect(mayUse({ ...held, kind: "user", userId: "u" }, need)).toBe(false);
      expect(mayUse({ tenantId: "t", kind: "watcher", jobId: "j" }, need)).toBe(false);
    }
  });
});
