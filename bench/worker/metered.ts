import { serve } from "../../src/app.ts";
import {
  ProviderGate as Gate,
  ExportJob as Job,
  WebhookPoster as Poster,
  WebhookSender as Sender,
  ProjectStream as Stream,
} from "../../src/index.ts";
import { removeOldJobs } from "../../src/tasks/retention.ts";
import { sweep } from "../../src/tasks/sweep.ts";
import { reapUploads } from "../../src/tasks/uploads.ts";
import { bare } from "./bare.ts";
import { meter, takePeak } from "./counts.ts";
import type { BenchEnv } from "./env.ts";
import { meterContext, meterEnv, meterFetch } from "./meter.ts";
import { plain } from "./plain.ts";

export { BareObject } from "./bare.ts";
export { ExportFlow } from "./workflow.ts";

export class ExportJob extends Job {
  constructor(context: DurableObjectState, env: Env) {
    super(meterContext(context), meterEnv(env));
  }

  override async alarm(): Promise<void> {
    meter.objectRequests++;
    await super.alarm();
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    meter.socketMessages++;
    await super.webSocketMessage(socket, message);
  }
}

export class ProjectStream extends Stream {
  constructor(context: DurableObjectState, env: Env) {
    super(meterContext(context), meterEnv(env));
  }
}

export class ProviderGate extends Gate {
  constructor(context: DurableObjectState, env: Env) {
    super(meterContext(context), meterEnv(env));
  }
}

export class WebhookSender extends Sender {
  constructor(context: DurableObjectState, env: Env) {
    super(meterContext(context), meterEnv(env));
  }
}

export class WebhookPoster extends Poster {
  constructor(context: DurableObjectState, env: Env) {
    super(meterContext(context), meterEnv(env));
  }
}

let isFetchMetered = false;
let metered: BenchEnv | null = null;

/** The service and the plain design, with all that they use counted; `/meter` tells, and begins anew; `/busiest` tells of the busiest object. */
export default {
  fetch: async (request, env, context) => {
    if (!isFetchMetered) {
      isFetchMetered = true;
      meterFetch(env.RUNPOD_BASE_URL);
    }
    const { pathname } = new URL(request.url);
    if (pathname === "/meter") {
      const counted = Response.json(meter);
      Object.assign(meter, Object.fromEntries(Object.keys(meter).map((name) => [name, 0])));
      return counted;
    }
    if (pathname === "/busiest") {
      return Response.json({ peak: takePeak() });
    }
    if (pathname.startsWith("/bare/")) {
      return bare.fetch(request, env, context);
    }
    meter.workerRequests++;
    metered ??= meterEnv(env);
    if (pathname === "/cron") {
      const now = Date.now();
      await Promise.all([sweep(metered, now), reapUploads(metered, now), removeOldJobs(metered, now)]);
      return Response.json({});
    }
    return pathname.startsWith("/plain/") ? plain.fetch(request, metered, context) : serve(request, metered, context);
  },
} satisfies ExportedHandler<BenchEnv>;
