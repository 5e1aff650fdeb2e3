import { useEffect, useState } from "react";
import type { ExportJobs, Job, JobEvent, ProjectEvent } from "./index.ts";

export type ExportState = {
  /** The newest thing known of the job; null before the first. */
  event: JobEvent | null;
  /** The job could not be watched. */
  error: Error | null;
};

const toError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** Follows one export live until its end. With `id` null it waits for one. */
export function useExport(client: ExportJobs, id: string | null): ExportState {
  const [state, setState] = useState<ExportState>({ event: null, error: null });
  useEffect(() => {
    setState({ event: null, error: null });
    if (id === null) {
      return;
    }
    const abort = new AbortController();
    const follow = async () => {
      for await (const event of client.watch(id, abort)) {
        setState({ event, error: null });
      }
    };
    follow().catch((error: unknown) => {
      if (!abort.signal.aborted) {
        setState((last) => ({ ...last, error: toError(error) }));
      }
    });
    return () => abort.abort();
  }, [client, id]);
  return state;
}

/** An export in a list: the job as it was listed, with what has been told of it since. */
export type ListedExport = Pick<Job, "status" | "stage" | "progress" | "attempt"> & { id: string; job: Job | null };
export type ExportsState = { exports: readonly ListedExport[]; error: Error | null };

const toListed = (job: Job): ListedExport => ({ ...job, job });

/** A list with an event taken in; a job that is not in it yet comes first, and one that was deleted goes. */
export function withEvent(exports: readonly ListedExport[], event: ProjectEvent): readonly ListedExport[] {
  if (event.type === "deleted") {
    return exports.filter(({ id }) => id !== event.job_id);
  }
  const { job_id: id, status, stage, progress, attempt } = event;
  const told = { status, stage, progress, attempt };
  return exports.some((entry) => entry.id === id)
    ? exports.map((entry) => (entry.id === id ? { ...entry, ...told } : entry))
    : [{ id, job: null, ...told }, ...exports];
}

/** The newest exports of a project, live, through one connection. */
export function useExports(
  client: ExportJobs,
  projectId: number,
  { limit = 20 }: { limit?: number } = {},
): ExportsState {
  const [state, setState] = useState<ExportsState>({ exports: [], error: null });
  useEffect(() => {
    const abort = new AbortController();
    const follow = async () => {
      const { signal } = abort;
      const { jobs, asOf: since } = await client.jobs.page({ projectId, pageSize: limit, signal });
      setState({ exports: jobs.map(toListed), error: null });
      for await (const event of client.watchProject(projectId, { since, signal })) {
        setState(({ exports }) => ({ exports: withEvent(exports, event), error: null }));
      }
    };
    follow().catch((error: unknown) => {
      if (!abort.signal.aborted) {
        setState((last) => ({ ...last, error: toError(error) }));
      }
    });
    return () => abort.abort();
  }, [client, projectId, limit]);
  return state;
}
