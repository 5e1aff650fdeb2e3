import { expect } from "vitest";
import { z } from "zod";
import { Problem } from "../../src/contract/problem.ts";
import { describedRoutes } from "../../src/document/routes.ts";

const Content = z.record(z.string(), z.object({ schema: z.instanceof(z.ZodType).optional() }).loose());
const Responses = z.record(z.string(), z.object({ description: z.string(), content: Content.optional() }).loose());

/** What the OpenAPI document says of a route, as the schemas from which it is made. */
export type Documented = { method: string; path: string; pattern: RegExp; responses: z.infer<typeof Responses> };

/** Every route of the document. */
export function readRoutes(): Documented[] {
  return describedRoutes.map(({ method, path, responses }) => {
    const source = path.replace(/\{key\}/, ".+").replace(/\{\w+\}/g, "[^/]+");
    return {
      method: method.toUpperCase(),
      path,
      pattern: new RegExp(`^${source}$`),
      responses: Responses.parse(responses),
    };
  });
}

/** What any address may answer, whether or not a route is there. */
const anywhere = new Set(["unauthenticated", "not_found", "method_not_allowed", "rate_limited", "forbidden_origin"]);

/** Fails unless the answer is one that the document promises. @returns its body as text */
export async function expectDocumented(
  routes: readonly Documented[],
  method: string,
  path: string,
  response: Response,
) {
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    return "";
  }
  const text = new TextDecoder().decode(await response.arrayBuffer());
  const asked = method === "HEAD" ? "GET" : method;
  const route = routes.find(({ method: own, pattern }) => own === asked && pattern.test(path));
  const where = `${method} ${path} → ${response.status} ${text.slice(0, 300)}`;
  if (response.status >= 400) {
    const described = route?.responses[String(response.status)]?.description ?? "";
    expect(response.headers.get("content-type"), where).toBe("application/problem+json");
    if (method !== "HEAD") {
      const problem = Problem.parse(JSON.parse(text));
      expect(problem.status, where).toBe(response.status);
      expect(anywhere.has(problem.code) || described.includes(`\`${problem.code}\``), where).toBe(true);
    }
    return text;
  }
  const answer = route?.responses[String(response.status)];
  const isOwn = path.startsWith("/problems/") || method === "OPTIONS";
  expect(answer !== undefined || isOwn, where).toBe(true);
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  const schema = answer?.content?.[type]?.schema;
  if (schema && type === "application/json" && text !== "") {
    expect(schema.safeParse(JSON.parse(text)).error?.issues, where).toBeUndefined();
  }
  return text;
}
