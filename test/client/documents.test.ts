import { describe, expect, it } from "vitest";
import { Documents } from "../../src/client/documents.ts";
import { problem, Service } from "./service.ts";

const clientOf = ({ fetch }: Service) => new Documents({ url: "https://exports.test", token: "ej_test_0", fetch });

const version = (number: number) => ({ version: number, size: 2, etag: "e", user_id: null, created_at: "" });

describe("documents", () => {
  it("are read with the version that a write then follows", async () => {
    const service = new Service();
    service.on(/^GET .*bible\?version=3$/, () => Response.json({ round: 3 }, { headers: { etag: 'W/"3"' } }));
    service.on(/^GET .*bible$/, () => Response.json({ round: 7 }, { headers: { etag: '"7"' } }));
    service.on(/^PUT /, () => Response.json({ version: 8, size: 2, etag: "e" }));
    const documents = clientOf(service);
    const { version: newest, value } = await documents.get<{ round: number }>(7, "bible");
    expect([newest, value.round, (await documents.get(7, "bible", { version: 3 })).version]).toEqual([7, 7, 3]);
    expect(await documents.put(7, "bible", { round: 8 }, newest)).toMatchObject({ version: 8 });
    await documents.put(7, "elements", [], null);
    const sent = service.calls.slice(-2).map(({ path, body, headers }) => ({
      ...{ path, body, after: headers.get("if-match"), first: headers.get("if-none-match") },
    }));
    expect(sent).toEqual([
      { path: "/api/projects/7/documents/bible", body: '{"round":8}', after: '"7"', first: null },
      { path: "/api/projects/7/documents/elements", body: "[]", after: null, first: "*" },
    ]);
  });

  it("are written once: what came too late, or got lost on the way, is told", async () => {
    const service = new Service();
    const documents = clientOf(service);
    service.on(/^PUT /, () => problem(412, "precondition_failed"));
    await expect(documents.put(7, "bible", {}, 1)).rejects.toMatchObject({ code: "precondition_failed" });
    service.on(/^PUT /, () => Promise.reject(new TypeError("cut")));
    await expect(documents.put(7, "bible", {}, 1)).rejects.toMatchObject({ name: "ConnectionError" });
    expect(service.count(/^PUT /)).toBe(2);
  });

  it("and their versions come page after page", async () => {
    const service = new Service();
    const pages = [
      { data: [version(2)], next_cursor: "c" },
      { data: [version(1)], next_cursor: null },
    ];
    service.on(/versions/, ({ path }) => Response.json(pages[path.includes("cursor=c") ? 1 : 0]));
    service.on(/documents\?/, () => Response.json({ data: [{ name: "bible", ...version(2) }], next_cursor: null }));
    const documents = clientOf(service);
    expect((await documents.versions(7, "bible").toArray()).map((one) => one.version)).toEqual([2, 1]);
    expect((await documents.list(7).toArray()).map(({ name }) => name)).toEqual(["bible"]);
  });
});
