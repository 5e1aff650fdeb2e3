import { env } from "cloudflare:workers";

type Methods = { [Name in "put" | "head" | "delete" | "list" | "resumeMultipartUpload"]: R2Bucket[Name] };

/** R2 as it is, but for some of its methods; those get the bucket itself. */
export function withBucket(change: (bucket: R2Bucket) => Partial<Methods>): Env {
  const own: Record<string | symbol, unknown> = change(env.VIDEOS);
  const videos = new Proxy(env.VIDEOS, {
    get(target, name) {
      const found: unknown = own[name] ?? Reflect.get(target, name);
      return typeof found === "function" && own[name] === undefined ? found.bind(target) : found;
    },
  });
  return { ...env, VIDEOS: videos };
}
