import type { WebhookEventType } from "../contract/webhook.ts";
import { rankOf } from "../core/webhook-queue.ts";
import { giveUpAfterMs } from "../core/webhook-schedule.ts";
import { type Endpoint, isOfItsProjects } from "./webhook-endpoints.ts";
import type { WebhookPorts } from "./webhook-ports.ts";
import { WebhookPump } from "./webhook-pump.ts";
import type { Delivery, Message } from "./webhook-rows.ts";

/** What happened to a job, for those who want to be told. */
export type Notice = Readonly<{
  message: Message;
  projectId: number;
  /** The job's own address. */
  webhook: Readonly<{ url: string; events: readonly WebhookEventType[] }> | null;
}>;

const maxWaitingOfLane = 10_000;
/** In characters. What comes beyond is made from the job again when it is sent: the object's storage has an end. */
const maxKeptCharacters = 512 * 2 ** 20;

/**
 * A tenant's outgoing webhooks. What is to be sent stands in the log before anything is posted, and every try is claimed
 * there first: whatever an older try says of a delivery that was resent, removed or given up meanwhile counts no more.
 */
export class WebhookShell {
  readonly #ports: WebhookPorts;
  readonly pump: WebhookPump;
  /** What the bodies take that are kept; at least, until it is counted again. */
  #kept: number;

  constructor(ports: WebhookPorts) {
    this.#ports = ports;
    this.pump = new WebhookPump(ports);
    this.#kept = ports.log.countKept();
  }

  /** Takes a notice in for each address that wants it; told again, it changes nothing. @returns whether any wants progress */
  publish({ message, projectId, webhook }: Notice): { wantsProgress: boolean } {
    const isTold = (endpoint: Endpoint) => endpoint.status === "enabled" && isOfItsProjects(endpoint, projectId);
    const endpoints = this.#ports.endpoints.list().filter(isTold);
    const targets = [
      ...endpoints.map(({ id, events }) => ({ endpointId: id, url: null, events })),
      ...(webhook ? [{ endpointId: null, url: webhook.url, events: webhook.events }] : []),
    ];
    this.pump.after(() => {
      const kept = this.#keepBody(message);
      for (const { endpointId, url } of targets.filter(({ events }) => events.includes(message.type))) {
        this.#take(kept, message.body?.length ?? 0, { projectId, endpointId, url });
      }
    });
    return { wantsProgress: targets.some(({ events }) => events.includes("job.progress")) };
  }

  #keepBody(message: Message): Message {
    const length = message.body?.length ?? 0;
    if (this.#kept + length > maxKeptCharacters) {
      this.#kept = this.#ports.log.countKept();
    }
    const isKept = this.#kept + length <= maxKeptCharacters;
    this.#kept += isKept ? length : 0;
    return isKept ? message : { ...message, body: null };
  }

  #take(message: Message, bytes: number, place: Pick<Delivery, "projectId" | "endpointId" | "url">): void {
    const { log, now } = this.#ports;
    const { lanes } = this.pump;
    const { jobId, version, type } = message;
    const { endpointId } = place;
    if (type !== "job.processing") {
      lanes.drop(log.replaceProgress(jobId, endpointId, type !== "job.progress"));
    }
    // Receivers tell by it whether they have it already: the same notice has the same id, however often it is told.
    // Progress may be told of the very version that a change of status made.
    const change = type === "job.progress" ? `${version}p` : version;
    const id = `msg_${jobId}_${change}_${endpointId ?? "own"}`;
    const dueAt = now();
    const rank = rankOf(type);
    const added = log.add(message, { ...place, id, rank, dueAt, expiresAt: dueAt + giveUpAfterMs, bytes });
    if (added) {
      lanes.add(added);
      const overflow = lanes.listOverflow(added.seq, maxWaitingOfLane);
      this.pump.giveUp(overflow, "too many messages wait for this address");
    }
  }

  /** An endpoint was made, changed, or switched on or off. */
  endpointsChanged(): void {
    this.pump.after(() => this.pump.lanes.setEndpoints(this.#ports.endpoints.list()));
  }

  /** An endpoint goes, with all that was sent to it, or is to be. */
  removeEndpoint(id: string): void {
    this.pump.after(() => {
      this.#ports.endpoints.remove(id);
      this.pump.lanes.drop(this.#ports.log.removeOf(id));
    });
    this.endpointsChanged();
  }

  /** A delivery, unless its endpoint is told of other projects by now: then it is none that may be known. */
  find(id: string): Delivery | null {
    const { log, endpoints } = this.#ports;
    const delivery = log.findById(id);
    const endpoint = delivery?.endpointId ? endpoints.find(delivery.endpointId) : null;
    return !delivery || !endpoint || isOfItsProjects(endpoint, delivery.projectId) ? delivery : null;
  }

  /** Sends a message again, whatever became of it, or is becoming. */
  resend(id: string): Delivery | null {
    const { log, now } = this.#ports;
    return this.pump.after(() => {
      const renewed = this.find(id) && log.renew(id, now(), now() + giveUpAfterMs);
      this.#again(renewed ? [renewed] : []);
      return renewed;
    });
  }

  /** Sends again all of an endpoint that failed since an instant, page by page: others have their turns. @returns how many */
  async recover(endpointId: string, since: number): Promise<number> {
    const { log, endpoints, now, nextTurn } = this.#ports;
    let [count, after] = [0, 0];
    for (;;) {
      const renewed = this.pump.after(() => {
        const projectIds = endpoints.find(endpointId)?.projectIds ?? null;
        const page = log.renewFailed({ endpointId, projectIds, since, after }, now(), now() + giveUpAfterMs);
        this.#again(page);
        return page;
      });
      if (renewed.length === 0) {
        return count;
      }
      count += renewed.length;
      after = Math.max(...renewed.map(({ seq }) => seq));
      await nextTurn();
    }
  }

  #again(renewed: readonly Delivery[]): void {
    this.pump.lanes.drop(renewed.map(({ seq }) => seq));
    for (const delivery of renewed) {
      this.pump.lanes.add(delivery);
    }
  }

  /** A job was removed: nothing of it is sent any more, and what it was stays nowhere. */
  dropJob(jobId: string): void {
    this.pump.after(() => {
      this.pump.giveUp(this.#ports.log.listWaitingOf(jobId), "the job was deleted");
      this.#ports.log.dropBodies(jobId);
    });
  }
}
