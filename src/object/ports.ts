import type { JobEvent } from "../contract/event.ts";
import type { Attempt } from "../core/attempt.ts";
import type { JobSpec, JobState, StoredOutput } from "../core/job-state.ts";
import type { ProviderAnswer, ProviderAnswerKind, ProviderCall } from "../core/provider-answer.ts";
import type { RunReport } from "../core/signals.ts";
import type { Timers } from "../core/timers.ts";
import type { JobProjection, ProjectionExtra } from "../store/jobs.ts";

/** When the object is to be woken: at an instant, as it is set now, or never again. */
export type Wake = Readonly<{ at: number } | "as-is" | "never">;

/** What an object holds; `unreadable` is the state of a later release, which this one leaves alone. */
export type Held = Readonly<{ job: JobState; savedVersion: number; reserved: number }> | "nothing" | "unreadable";

/** The object's own storage and its alarm. */
export type JobStorage = Readonly<{
  load(): Held;
  /** State, events and alarm, all or nothing. Versions up to `reserved` may be shown before the next save. */
  save(job: JobState, events: readonly JobEvent[], wake: Wake, reserved: number): void;
  wake(wake: Wake): void;
  getAlarm(): Promise<number | null>;
  /** What was told after the event numbered `seq`, oldest first. */
  listEvents(seq: number): JobEvent[];
  /** Leaves nothing, the alarm included. */
  forget(): Promise<void>;
}>;

/** Who is told at once: those who watch the job or its project, and its handlers. */
export type JobSockets = Readonly<{
  isWatched(): boolean;
  broadcast(event: JobEvent): void;
  /** Keeps progress where a sleep of the object does not reach it. @returns false where there is no such place */
  keep(job: JobState): boolean;
  /** Progress for those who asked for webhooks of it; one that gets lost is followed by the next. */
  tellProgress(job: JobState): void;
}>;

/** RunPod, as it answers to one call each. */
export type Provider = Readonly<{
  submitRun(job: JobState, attempt: Attempt): Promise<ProviderAnswer<{ runId: string }>>;
  askStatus(endpointId: string, runId: string): Promise<ProviderAnswer<RunReport>>;
  cancelRun(endpointId: string, runId: string): Promise<ProviderAnswer<null>>;
  /** When a job that has seen trouble may call; a later instant is one to ask again at. */
  takeTurn(endpointId: string, call: ProviderCall): Promise<number>;
  noteOutcome(endpointId: string, call: ProviderCall, kind: ProviderAnswerKind, afterMs: number | null): Promise<void>;
}>;

/** D1, R2 and the objects of tenants and projects; each throws when there is no answer in time. */
export type Stores = Readonly<{
  findOutput(key: string): Promise<StoredOutput | null>;
  deleteOutput(key: string): Promise<void>;
  /**
   * Writes the job and its usage to D1, both or neither; again changes nothing.
   * @returns whether the tenant had asked for webhooks by then
   */
  writeRow(row: JobProjection, extra: ProjectionExtra): Promise<boolean>;
  /** Shows the row to the sweep again, before its job is reopened. @returns false over the tenant's quota */
  reopenRow(job: JobState): Promise<boolean>;
  deleteRow(spec: JobSpec): Promise<"deleted" | "lent">;
  /** Tells of a change of status, made with a version, to those who asked for webhooks; again changes nothing. */
  notify(job: JobState, version: number): Promise<void>;
  /** Of a job that is removed nothing is told any more, and nothing of it stays where messages are kept. */
  dropMessages(spec: JobSpec): Promise<void>;
  /** Tells those who watch the project that a user's job has gone; again changes nothing. */
  tellDeleted(job: JobState, userId: string | null): Promise<void>;
}>;

/** All that a job touches of the world: the object gives it Cloudflare and RunPod, a simulator its own. */
export type Ports = Readonly<{
  now(): number;
  timers: Timers;
  /** The RunPod endpoint that new attempts go to. */
  endpointId: string;
  newNonce(): string;
  storage: JobStorage;
  sockets: JobSockets;
  provider: Provider;
  stores: Stores;
  /** Goes on with work behind an answer. */
  background(work: Promise<void>): void;
  /** Calls once, later, unless the object leaves memory before. */
  later(ms: number, run: () => void): void;
  /** Tells the operator of something that only they can mend. */
  warn(message: string): void;
  /** Something of ours failed and goes on without its caller. */
  fail(during: string, error: unknown): void;
}>;
