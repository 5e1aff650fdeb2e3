import { CreatedJob } from "../contract/create-job.ts";
import { Job } from "../contract/job.ts";
import { JobPage } from "../contract/list-jobs.ts";
import { ActedOnJobs, CreatedJobs } from "../contract/many-jobs.ts";
import { OutputLink } from "../contract/upload.ts";
import { WatchToken } from "../contract/watch-token.ts";
import { jsonAnswer, type RouteDocs } from "./describe-route.ts";

const asOf = {
  description: "The instant that the page tells of, for `?since=` of a project's stream.",
  schema: { type: "string" as const, format: "date-time" },
};

export const jobDocs = {
  "POST /api/jobs": {
    id: "createJob",
    tag: "jobs",
    summary: "Create an export job",
    description:
      "With an Idempotency-Key the same request of the same caller makes one job, however often it is sent, as long as " +
      "that job is there. With `Prefer: wait=<seconds>` " +
      "(1 to 60) the answer comes when the job is over or the time is.",
    headers: ["idempotency-key", "prefer"],
    answer: ["The job was created.", CreatedJob],
    answers: {
      200: jsonAnswer(
        "The job that this Idempotency-Key made before, or that `reuse` joins (`Idempotency-Replayed: true`).",
        CreatedJob,
      ),
    },
    problems: [
      "invalid_idempotency_key",
      "input_not_found",
      "idempotency_key_reused",
      "webhook_target_forbidden",
      "quota_exceeded",
    ],
  },

  "GET /api/jobs": {
    id: "listJobs",
    tag: "jobs",
    summary: "List jobs, newest first",
    description:
      "Filters that no index serves (`type`, `status`, `metadata`) are tried on the next 2,000 jobs: a page may then hold " +
      "fewer than `limit`, even none, and still have a `next_cursor`. Only a null `next_cursor` is the end.",
    answer: ['A page; `Link: rel="next"` leads to the next one.', JobPage],
    answers: { 200: { headers: { "X-As-Of": asOf } } },
    problems: ["invalid_cursor"],
  },

  "POST /api/jobs/batch": {
    id: "createJobs",
    tag: "jobs",
    summary: "Create up to 100 jobs",
    description:
      "Each has an answer of its own. With an Idempotency-Key the same request makes each of them once, as its place says.",
    headers: ["idempotency-key"],
    answer: ["One answer for each, in their order.", CreatedJobs],
  },

  "POST /api/jobs/actions": {
    id: "actOnJobs",
    tag: "jobs",
    summary: "Cancel, retry or delete the jobs of a filter",
    description:
      "Up to 100 at a time, newest first; send the request again with `cursor` until `next_cursor` is null. What an " +
      "earlier request did is not done twice.",
    answer: ["How many were acted on.", ActedOnJobs],
    problems: ["invalid_cursor"],
  },

  "GET /api/jobs/{id}": {
    id: "getJob",
    tag: "jobs",
    summary: "Read a job, at once or when it has changed",
    headers: ["if-none-match"],
    answer: ["The job as it is now; `ETag` changes with its version.", Job],
    answers: { 304: { description: "Not changed since the version in If-None-Match." } },
  },

  "PATCH /api/jobs/{id}": {
    id: "amendJob",
    tag: "jobs",
    summary: "Change a job's labels, or take note of its end",
    description:
      "Labels are merged: a null removes one. `If-Match` with the job's `ETag` makes the change conditional.",
    headers: ["if-match"],
    answer: ["The job, with a new version.", Job],
    problems: ["precondition_failed"],
  },

  "POST /api/jobs/{id}/cancel": {
    id: "cancelJob",
    tag: "jobs",
    summary: "Cancel a job",
    description: "Final at once; the run at RunPod is cancelled behind it. Cancelling a cancelled job is a 200 too.",
    answer: ["The cancelled job.", Job],
    problems: ["conflict"],
  },

  "POST /api/jobs/{id}/retry": {
    id: "retryJob",
    tag: "jobs",
    summary: "Try a failed or cancelled job again",
    answer: ["The job, pending again, with its `max_retries` anew.", Job],
    problems: ["conflict", "quota_exceeded"],
  },

  "POST /api/jobs/{id}/token": {
    id: "renewToken",
    tag: "jobs",
    summary: "Make another client_token for a job's watcher",
    answer: ["The token.", WatchToken],
  },

  "DELETE /api/jobs/{id}": {
    id: "deleteJob",
    tag: "jobs",
    summary: "Remove a finished job with its output",
    description:
      "The input stays: other jobs may use it. A job whose output others show (`reused_from`) is a 409 until they are gone.",
    answer: ["Gone."],
    problems: ["conflict"],
  },

  "GET /api/jobs/{id}/output": {
    id: "getOutput",
    tag: "jobs",
    summary: "The finished video, or whatever the job's type gives",
    answer: ["The signed URL.", OutputLink],
    answers: { 302: { description: "To a signed URL of the output." } },
    problems: ["conflict"],
  },

  "GET /api/jobs/{id}/artifacts/{name}": {
    id: "getArtifact",
    tag: "jobs",
    summary: "What the handler wrote besides the output, by name",
    answer: ["The signed URL.", OutputLink],
    answers: { 302: { description: "To a signed URL of the artifact." } },
    problems: ["conflict"],
  },
} satisfies RouteDocs;
