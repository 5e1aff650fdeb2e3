import type { z } from "zod";
import {
  type Exchange,
  exchangeOf,
  needOf,
  type RouteKey,
  type RouteKind,
  type RouteOf,
  type routes,
} from "../../core/routes.ts";
import type { AnswerOf } from "../../document/routes.ts";
import type { AppContext } from "./app-env.ts";
import { requireNeed } from "./auth.ts";
import { readJson } from "./body.ts";
import { readQuery, validate } from "./validation.ts";

/** A route as the app serves it. */
export type Route = Readonly<{ key: RouteKey; serve: (c: AppContext) => Promise<Response> }>;

/** What each route gets of a request; `sent` is the body without defaults. */
type Inputs = {
  [Key in RouteKey]: (typeof routes)[Key] extends { query: infer Query extends z.ZodType }
    ? [query: z.output<Query>]
    : (typeof routes)[Key] extends { body: infer Body extends z.ZodType }
      ? [body: z.output<Body>, sent: unknown]
      : [];
};

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
  function route<Key extends RouteOf<Kind>>(key: Key, serve: Serve<Thing, Inputs[Key], AnswerOf<Key>>): Route;
  function route(key: RouteOf<Kind>, serve: Serve<Thing, unknown[], unknown>): Route {
    const [need, exchange] = [needOf(key), exchangeOf(key)];
    return {
      key,
      serve: async (c) => {
        if (need) {
          requireNeed(c, need);
        }
        const input = await readInput(c, exchange);
        const [named = ""] = Object.values(c.req.param());
        const answer = await serve(c, await find(c, named), ...input);
        return answer instanceof Response ? answer : respond(c, exchange.status, answer);
      },
    };
  }
  return route;
}

async function readInput(c: AppContext, { query, body }: Exchange): Promise<unknown[]> {
  if (query) {
    return [validate(query, "query", readQuery(c.req.url))];
  }
  if (body) {
    const sent = await readJson(c.req.raw);
    return [validate(body, "json", sent), sent];
  }
  return [];
}

function respond(c: AppContext, status: Exchange["status"] = 200, answer: unknown): Response {
  return status === 101 || status === 204
    ? c.body(null, status)
    : c.body(JSON.stringify(answer), status, { "content-type": "application/json" });
}

/** What a tenant has as a whole: the path names nothing of it. */
export const tenantRoute = routesOf("tenant", async (c) => c.get("caller"));

/** What is everybody's. */
export const serviceRoute = routesOf("service", async () => null);

/** A page that the document leaves out. */
export function pageRoute(key: RouteOf<"page">, serve: Route["serve"]): Route {
  return { key, serve };
}
