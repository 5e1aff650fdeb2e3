import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { Upload } from "../../src/contract/upload.ts";
import { reapUploads } from "../../src/tasks/uploads.ts";
import { api, call, expectProblem, post, put } from "../setup/job.ts";

const hourMs = 3_600_000;
const small = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
const large = { ...small, size: 95_000_001 };

async function create(request: object): Promise<Upload> {
  return Upload.parse(await (await post("/api/uploads", request)).json());
}

async function storedBytes(): Promise<number> {
  return (
    (await env.DB.prepare("SELECT bytes FROM stored_bytes WHERE tenant_id = 'default'").first<number>("bytes")) ?? 0
  );
}

it("a PUT that ends after its upload was given up is refused and leaves nothing", async () => {
  const before = await storedBytes();
  const upload = await create(small);
  expect(await reapUploads(env, Date.now() + 2 * hourMs - 60_000)).toBe(0);
  expect(await reapUploads(env, Date.now() + 2 * hourMs + 1)).toBe(1);
  await expectProblem(await put(upload.url ?? "", "a video", upload.headers), 404, "not_found");
  expect(await env.VIDEOS.head(upload.input_video_key)).toBeNull();
  expect(await storedBytes()).toBe(before);
});

it("an upload that cannot be ended lets those behind it come first, and is tried again", async () => {
  const [stuck, free] = [await create(large), await create(large)];
  const broken = new Proxy(env.VIDEOS, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (name !== "resumeMultipartUpload") {
        return typeof own === "function" ? own.bind(target) : own;
      }
      return (key: string, id: string) => {
        if (key === stuck.input_video_key) {
          throw new Error("struck");
        }
        return target.resumeMultipartUpload(key, id);
      };
    },
  });
  const reap = (hours: number) =>
    reapUploads({ ...env, VIDEOS: broken }, Date.now() + hours * hourMs, { maxUploads: 1 });
  expect([await reap(26), await reap(26), await reap(26)]).toEqual([0, 1, 0]);
  expect((await api(`/api/uploads/${free.id}`)).status).toBe(404);
  expect((await api(`/api/uploads/${stuck.id}`)).status).toBe(200);
  expect(await reapUploads(env, Date.now() + 28 * hourMs)).toBe(1);
  await expectProblem(await call(stuck.complete_url ?? "", { method: "POST" }), 404, "not_found");
});

it("an upload that is completed while it is being given up stays", async () => {
  const upload = await create(small);
  // The reaper has looked and found nothing; then the file comes.
  const late = new Proxy(env.VIDEOS, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (name !== "head") {
        return typeof own === "function" ? own.bind(target) : own;
      }
      return async (key: string) => {
        const found = await target.head(key);
        const response = await put(upload.url ?? "", "a video", upload.headers);
        expect(response.status).toBe(200);
        await response.body?.cancel();
        return found;
      };
    },
  });
  await reapUploads({ ...env, VIDEOS: late }, Date.now() + 3 * hourMs);
  const { status } = Upload.parse(await (await api(`/api/uploads/${upload.id}`)).json());
  expect([status, await env.VIDEOS.head(upload.input_video_key)]).toEqual(["complete", expect.anything()]);
});
