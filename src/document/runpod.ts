import { ProgressAnswer, ProgressUpdate, WebhookAnswer } from "../contract/handler.ts";
import { jsonBody, type RouteDocs } from "./describe-route.ts";

export const runpodDocs = {
  "POST /webhooks/runpod/{token}": {
    id: "receiveRunpodWebhook",
    tag: "runpod",
    summary: "RunPod's completion webhook",
    description: "Only a doorbell: the job asks RunPod and looks into R2 itself. 200 once that is durable.",
    shownBody: { content: { "application/json": { schema: {} } } },
    answer: ["Taken.", WebhookAnswer],
  },

  "POST /webhooks/runpod/{token}/progress": {
    id: "reportProgress",
    tag: "runpod",
    summary: "A handler's progress",
    shownBody: jsonBody(ProgressUpdate),
    answer: ["`cancel: true` tells the handler to stop.", ProgressAnswer],
    problems: ["malformed_request", "payload_too_large", "validation_failed"],
  },

  "GET /webhooks/runpod/{token}/progress": {
    id: "reportProgressBySocket",
    tag: "runpod",
    summary: "A handler's progress by WebSocket",
    description:
      "One connection per attempt. Each text message is a ProgressUpdate; one that is taken " +
      "has no answer, one that is not is answered with a Problem. `ping` is answered with `pong`. When the work is not " +
      'wanted any more comes `{"cancel": true}`, and 1000 closes. A newer connection of the attempt closes the older ' +
      "with 4000.",
    answer: ["The WebSocket."],
    problems: ["malformed_request"],
  },
} satisfies RouteDocs;
