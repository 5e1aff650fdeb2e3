import { z } from "zod";
import { JobHistory, ProjectEvent } from "../contract/event.ts";
import type { RouteDocs } from "./describe-route.ts";

export const liveDocs = {
  "GET /api/jobs/{id}/events": {
    id: "watchJob",
    tag: "live",
    summary: "A job's history, or its live events",
    description:
      "With `Accept: text/event-stream` a live stream: `id:` is the event's seq, `event:` its type, `data:` a JobEvent. " +
      "It resumes after `Last-Event-ID`, sends a comment every 15 s and ends after the final event.",
    headers: ["last-event-id"],
    answer: ["The history, or the stream.", JobHistory],
    answers: {
      200: { content: { "application/json": { schema: JobHistory }, "text/event-stream": { schema: z.string() } } },
      204: {
        description: "Nothing follows the event in Last-Event-ID: the job is over. Stops a browser's EventSource.",
      },
    },
  },

  "GET /api/jobs/{id}/ws": {
    id: "watchJobBySocket",
    tag: "live",
    summary: "A job's live events by WebSocket",
    description:
      "Each text message is a JobEvent; the first is the job's state. `?after=` resumes after the event with that seq. " +
      "`ping` is answered with `pong`. Closed with 1000 after the final event, with 1001 after 15 minutes or when its " +
      "credential ends, and with 1008 when that was revoked.",
    answer: ["The WebSocket."],
    problems: ["malformed_request", "forbidden_origin"],
  },

  "GET /api/projects/{project_id}/events": {
    id: "watchProject",
    tag: "live",
    summary: "The live events of all jobs of a project",
    description:
      "Server-sent events: first each active job as a `status` event, then every change, new jobs included. `job_id` and " +
      "`seq` tell events apart; `event: deleted` is the last of a job. With `Last-Event-ID`, or with `?since=` " +
      "and the X-As-Of of a list, jobs that ended or were deleted since are told of too, as far as that was in the last " +
      "day: ends of jobs of eight days, and 1,000 deletions. A slow reader misses progress " +
      "alone. The stream ends after 15 minutes, or when its credential does: connect again. Users see their own jobs.",
    headers: ["last-event-id"],
    answer: ["The stream; each `data:` is a ProjectEvent."],
    answers: { 200: { content: { "text/event-stream": { schema: ProjectEvent } } } },
  },
} satisfies RouteDocs;
