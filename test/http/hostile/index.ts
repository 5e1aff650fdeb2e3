import { malformedBodies } from "./bodies.ts";
import { wrongCredentials, wrongTokens } from "./credentials.ts";
import { missingDocuments, wrongDocuments } from "./documents.ts";
import type { Hostile, Target } from "./hostile.ts";
import { foreignInputs, wrongJobs, wrongUploads } from "./jobs.ts";
import { wrongManyJobs } from "./many-jobs.ts";
import { methods, origins, paths } from "./paths.ts";
import { wrongHeaders, wrongQueries } from "./queries.ts";
import { ranges, wrongUrls } from "./urls.ts";
import { wrongWebhooks } from "./webhooks.ts";

/** Families of requests, each with the answer that it must get. */
export async function hostileRequests(target: Target): Promise<Hostile[]> {
  return [
    ...malformedBodies(target),
    ...wrongJobs(target),
    ...foreignInputs(target),
    ...wrongManyJobs(target),
    ...wrongUploads(),
    ...wrongWebhooks(),
    ...wrongDocuments(),
    ...missingDocuments(),
    ...wrongQueries(),
    ...wrongHeaders(target),
    ...(await wrongCredentials(target)),
    ...wrongTokens(target),
    ...wrongUrls(target),
    ...ranges(target),
    ...paths(target),
    ...methods(target),
    ...origins(target),
  ];
}
