import type { RouteConfig } from "@asteasolutions/zod-to-openapi";
import type { z } from "zod";
import { needOf, type RouteKey, type RouteKind, type RouteOf } from "../../core/routes.ts";
import type { AppContext } from "./app-env.ts";
import { requireNeed } from "./auth.ts";
import { readJson } from "./body.ts";
import { type Described, describeRoute, type RouteDoc } from "./describe-route.ts";
import { readQuery, validate } from "./validation.ts";

/** A route as the app serves it, and as the document tells of it; null for a page that it leaves out. */
export type Route = Readonly<{
  key: RouteKey;
  described: RouteConfig | null;
  serve: (c: AppContext) => Promise<Response>;
}>;

/** With the thing that the path names and what came along, checked. What is no response becomes the usual answer. */
type Serve<Thing, Input extends unknown[], Answer> = (
  c: AppContext,
  thing: Thing,
  ...input: Input
) => Promise<Answer | Response>;

/** Reads the thing that a path names. @throws AppError `not_found`, the same for missing and foreign (I13) */
type Find<Thing> = (c: AppContext, named: string) => Promise<Thing>;

/** Makes the routes of one kind of things: each gets the one that its path names, if the caller may see it. */
export function routesOf<Kind extends RouteKind, Thing>(_kind: Kind, find: Find<Thing>) {
  type Key = RouteOf<Kind>;
  function route<Query extends z.ZodObject, Answer = null>(
    key: Key,
    doc: RouteDoc<Answer> & { query: Query },
    serve: Serve<Thing, [query: z.output<Query>], Answer>,
  ): Route;
  /** `sent` is the body without defaults. */
  function route<Body, Answer = null>(
    key: Key,
    doc: RouteDoc<Answer> & { body: z.ZodType<Body> },
    serve: Serve<Thing, [body: Body, sent: unknown], Answer>,
  ): Route;
  function route<Answer = null>(key: Key, doc: RouteDoc<Answer>, serve: Serve<Thing, [], Answer>): Route;
  function route(key: Key, doc: Described, serve: Serve<Thing, unknown[], unknown>): Route {
    const need = needOf(key);
    return {
      key,
      described: describeRoute(key, doc),
      serve: async (c) => {
        if (need) {
          requireNeed(c, need);
        }
        const input = await readInput(c, doc);
        const [named = ""] = Object.values(c.req.param());
        const answer = await serve(c, await find(c, named), ...input);
        return answer instanceof Response ? answer : respond(c, doc.answer[0], answer);
      },
    };
  }
  return route;
}

async function readInput(c: AppContext, { query, body }: Described): Promise<unknown[]> {
  if (query) {
    return [validate(query, "query", readQuery(c.req.url))];
  }
  if (body) {
    const sent = await readJson(c.req.raw);
    return [validate(body, "json", sent), sent];
  }
  return [];
}

function respond(c: AppContext, status: Described["answer"][0], answer: unknown): Response {
  return status === 200 || status === 201
    ? c.body(JSON.stringify(answer), status, { "content-type": "application/json" })
    : c.body(null, status);
}

/** What a tenant has as a whole: the path names nothing of it. */
export const tenantRoute = routesOf("tenant", async (c) => c.get("caller"));

/** What is everybody's. */
export const serviceRoute = routesOf("service", async () => null);

/** A page that the document leaves out. */
export function pageRoute(key: RouteOf<"service">, serve: (c: AppContext) => Promise<Response>): Route {
  return { key, described: null, serve };
}
