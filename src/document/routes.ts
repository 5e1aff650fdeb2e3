import type { RouteConfig } from "@asteasolutions/zod-to-openapi";
import type { z } from "zod";
import { type RouteKey, routeKeys } from "../core/routes.ts";
import { type DescribedKey, describeRoute, type RouteDoc } from "./describe-route.ts";
import { documentDocs } from "./documents.ts";
import { jobDocs } from "./jobs.ts";
import { liveDocs } from "./live.ts";
import { operationDocs } from "./operations.ts";
import { runpodDocs } from "./runpod.ts";
import { uploadDocs } from "./uploads.ts";
import { webhookDocs } from "./webhooks.ts";

/** What the document says of each route. One that it lacks does not compile. */
const docs = {
  ...jobDocs,
  ...liveDocs,
  ...uploadDocs,
  ...documentDocs,
  ...webhookDocs,
  ...runpodDocs,
  ...operationDocs,
} satisfies Readonly<Record<DescribedKey, RouteDoc>>;

/** What a route's handler makes, by the schema that the document shows; null where there is none. */
export type AnswerOf<Key extends RouteKey> = Key extends DescribedKey
  ? (typeof docs)[Key]["answer"] extends readonly [string, infer Answer extends z.ZodType]
    ? z.infer<Answer>
    : null
  : null;

/** Every route of the document, in the order of the table of routes. */
const known: Readonly<Partial<Record<RouteKey, RouteDoc>>> = docs;

/** Every route of the document, in the order of the table of routes. */
export const describedRoutes: readonly RouteConfig[] = routeKeys.flatMap((key) => {
  const doc = known[key];
  return doc ? [describeRoute(key, doc)] : [];
});
