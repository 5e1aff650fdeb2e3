import { pageRoute, routesOf, tenantRoute } from "../../src/http/edge/route.ts";

/** What must not compile: each of these lines is an error, or this file is one. */
const jobRoute = routesOf("job", async (_, id) => id);
const doc = { id: "x", tag: "jobs", summary: "x", answer: [204, "x"] } as const;
const serve = async () => null;

export const refused = [
  // @ts-expect-error a route that the table does not have
  () => tenantRoute("GET /api/secrets", doc, serve),
  // @ts-expect-error a route of a job that would not look for it
  () => tenantRoute("GET /api/jobs/{id}", doc, serve),
  // @ts-expect-error a route that needs a credential, as a page
  () => pageRoute("GET /api/jobs", async () => new Response()),
  // @ts-expect-error a route of something else
  () => jobRoute("GET /api/uploads/{id}", doc, serve),
];
