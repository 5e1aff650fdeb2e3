import type { Documented } from "../../setup/shape.ts";

/** What hostile requests are aimed at: a job, its signed URLs and its tokens, all genuine. */
export type Target = {
  jobId: string;
  inputKey: string;
  uploadId: string;
  /** Signed GET of a 16-byte output, and signed PUT of an upload of 5 bytes of video/mp4. */
  getUrl: string;
  putUrl: string;
  token: string;
  clientToken: string;
  apiKey: string;
};

export type Hostile = {
  name: string;
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** The key's, when the request names none of its own. */
  anonymous?: true;
  status: number;
  code?: string;
};

export const json = { "content-type": "application/json" };

/** A value as a test's name shows it. */
export const show = (value: unknown) => JSON.stringify(value).slice(0, 60);

/** A keyframe that is right. */
export const box = { time: 0, x: 0, y: 0, width: 608, height: 1080 };

/** The routes that no request of the list is aimed at. */
export function findUnaimed(routes: readonly Documented[], requests: readonly Hostile[]): string[] {
  const aims = requests.map(({ method, path }) => `${method} ${new URL(path, "https://exports.test").pathname}`);
  return routes.flatMap(({ method, path, pattern }) => {
    const isAimed = aims.some((aim) => aim.startsWith(`${method} `) && pattern.test(aim.slice(method.length + 1)));
    return isAimed ? [] : [`${method} ${path}`];
  });
}
