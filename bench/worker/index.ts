import service from "../../src/index.ts";
import { bare } from "./bare.ts";
import { bareLife } from "./bare-life.ts";
import type { BenchEnv } from "./env.ts";
import { plain } from "./plain.ts";
import { senders } from "./senders.ts";
import { flow } from "./workflow.ts";

export { ExportJob, ProjectStream, ProviderGate, WebhookPoster, WebhookSender } from "../../src/index.ts";
export { BareObject } from "./bare.ts";
export { ExportFlow } from "./workflow.ts";

/** The service as it is deployed, and beside it, in the same isolate, what it is measured against. */
export default {
  fetch: (request, env, context) => {
    const [, first] = new URL(request.url).pathname.split("/");
    switch (first) {
      case "bare":
        return bare.fetch(request, env, context);
      case "least":
        return bareLife.fetch(request, env, context);
      case "plain":
        return plain.fetch(request, env, context);
      case "flow":
        return flow.fetch(request, env, context);
      case "senders":
        return senders.fetch(request, env, context);
      default:
        return service.fetch(request, env, context);
    }
  },
} satisfies ExportedHandler<BenchEnv>;
