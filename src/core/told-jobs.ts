import type { ProjectEvent } from "../contract/event.ts";
import { activeStatuses } from "../contract/job.ts";

/** What a watcher knows of a job: `endedAt` when it is over. */
type Known = Readonly<{ seq: number; isActive: boolean; endedAt: string | null }>;

/** Above every seq: of a job that is gone nothing more is told. */
const gone: Known = { seq: Number.POSITIVE_INFINITY, isActive: false, endedAt: null };

/** What one watcher of a project was told of each job: each event once, and no step back (I16). */
export class ToldJobs {
  readonly #known = new Map<string, Known>();

  /** @param last the event that a watcher saw before it came back */
  constructor(last: { jobId: string; seq: number } | null = null) {
    if (last) {
      this.#known.set(last.jobId, { seq: last.seq, isActive: false, endedAt: null });
    }
  }

  /** Takes note of an event. @returns it as it is to be told; null when it is no news */
  admit(event: ProjectEvent): ProjectEvent | null {
    const known = this.#known.get(event.job_id);
    const next = toKnown(event);
    // An object that had lost its job does not know how far the job had come.
    const told = event.type === "deleted" && known ? { ...event, seq: Math.max(event.seq, known.seq + 1) } : event;
    if (known && (told.seq <= known.seq || known === gone)) {
      return null;
    }
    this.#known.set(event.job_id, next);
    // What the owner changes after the end raises the version of the row, and is no second end.
    const isSameEnd = known !== undefined && known.endedAt !== null && known.endedAt === next.endedAt;
    return isSameEnd ? null : told;
  }

  /** The jobs that were active when they were last told of, and are not among these. */
  missing(activeIds: ReadonlySet<string>): { id: string; seq: number }[] {
    return [...this.#known].flatMap(([id, { seq, isActive }]) => (isActive && !activeIds.has(id) ? [{ id, seq }] : []));
  }
}

function toKnown(event: ProjectEvent): Known {
  if (event.type === "deleted") {
    return gone;
  }
  const isActive = activeStatuses.some((status) => status === event.status);
  return { seq: event.seq, isActive, endedAt: isActive ? null : event.at };
}
