import { describeError } from "../core/errors.ts";
import { firstIdAt } from "../core/ids.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { rpcVersion } from "../object/rpc.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { findRemovableJobs, listTenantsAfter } from "../store/job-walks.ts";
import { findJobs } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import { readTaskCursor, readTaskCursors, type Task, writeTaskCursor } from "../store/task-cursors.ts";
import { callObject } from "./patience.ts";

const dayMs = 24 * 60 * 60_000;

/**
 * A run is bounded: so many jobs, so many tenants that share them, so many turns that the tenants take in all. That is
 * three calls a turn and one a job: some 700, of which a Worker may make 1,000.
 */
const usualLimits = { maxJobs: 400, maxTenants: 40, maxTurns: 80, maxLooked: 500, patienceMs: 10_000 };
type Limits = Readonly<typeof usualLimits>;

/** So many tenants are looked at for some that have old jobs. */
const maxTenantsLooked = 1_000;

/** Where a tenant's next turn begins. */
type Turn = Readonly<{ tenantId: string; afterId: string }>;

type Run = Readonly<{ env: Env; db: Database; beforeId: string; limits: Limits }>;

/**
 * Removes jobs, with their outputs, that were created more than `RETENTION_DAYS` ago and are settled. The tenants that
 * have such take turns; a cursor over them, and one in each, goes ahead of what is done, so that neither a tenant nor a
 * job that cannot be removed holds up those behind it.
 * @returns how many were removed
 */
export async function removeOldJobs(env: Env, now: number, limits: Partial<Limits> = {}): Promise<number> {
  const { retentionDays } = getSettings(env);
  if (retentionDays === null) {
    return 0;
  }
  const run: Run = {
    env,
    db: openDatabase(env.DB),
    beforeId: firstIdAt(now - retentionDays * dayMs),
    limits: { ...usualLimits, ...limits },
  };
  let turns = await listTurns(run);
  let [jobsLeft, turnsLeft, removed] = [run.limits.maxJobs, run.limits.maxTurns, 0];
  while (turns.length > 0 && jobsLeft > 0 && turnsLeft > 0) {
    const round = turns.slice(0, Math.min(jobsLeft, turnsLeft));
    const share = Math.floor(jobsLeft / round.length);
    const taken = await Promise.all(round.map((turn) => takeTurn(run, turn, Math.min(share, maxJobsPerTurn))));
    turnsLeft -= round.length;
    jobsLeft -= taken.reduce((sum, { tried }) => sum + tried, 0);
    removed += taken.reduce((sum, turn) => sum + turn.removed, 0);
    turns = taken.flatMap(({ next }) => next ?? []);
  }
  return removed;
}

/** One turn is short, so that all have had theirs before anybody has the next. */
const maxJobsPerTurn = 10;

/** The tenants whose turn it is: the next ones around the circle that have a job which is old enough. */
async function listTurns({ db, beforeId, limits }: Run): Promise<Turn[]> {
  const start = await readTaskCursor(db, "retention");
  const behind = await listTenantsAfter(db, start, maxTenantsLooked);
  const isRound = start !== "" && behind.length < maxTenantsLooked;
  const before = isRound ? await listTenantsAfter(db, "", maxTenantsLooked) : [];
  const looked = [...behind, ...before.filter(({ tenantId }) => tenantId <= start)];
  const old = looked.filter(({ oldestId }) => oldestId < beforeId);
  const tenants = old.slice(0, limits.maxTenants).map(({ tenantId }) => tenantId);
  const last = old.length > limits.maxTenants ? tenants.at(-1) : looked.at(-1)?.tenantId;
  if (last !== undefined && last !== start) {
    await writeTaskCursor(db, "retention", last);
  }
  const cursors = await readTaskCursors(db, tenants.map(cursorOf));
  return tenants.map((tenantId) => ({ tenantId, afterId: cursors.get(cursorOf(tenantId)) ?? "" }));
}

function cursorOf(tenantId: string): Task {
  return `retention:${tenantId}`;
}

type Taken = Readonly<{ tried: number; removed: number; next: Turn | null }>;

/** A tenant's next jobs. One whose look fails does so alone, and its next run goes on where this one did. */
async function takeTurn({ env, db, beforeId, limits }: Run, turn: Turn, limit: number): Promise<Taken> {
  const { tenantId, afterId } = turn;
  try {
    const size = { limit, maxLooked: limits.maxLooked };
    const { keys, lastId } = await findRemovableJobs(db, tenantId, { afterId, beforeId }, size);
    if (afterId !== "" || lastId !== null) {
      await writeTaskCursor(db, cursorOf(tenantId), lastId ?? "");
    }
    const rows = await findJobs(db, keys);
    const done = await Promise.all(rows.map((row) => remove(env, row, limits.patienceMs)));
    const removed = done.filter((isRemoved) => isRemoved).length;
    return { tried: rows.length, removed, next: lastId === null ? null : { tenantId, afterId: lastId } };
  } catch (error) {
    log("warn", "failure", { during: "retention", tenant_id: tenantId, message: describeError(error) });
    return { tried: 0, removed: 0, next: null };
  }
}

async function remove(env: Env, row: ExportJobRow, patienceMs: number): Promise<boolean> {
  try {
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(row.id));
    return (
      (await callObject(
        object.remove(rpcVersion, toJobSpec(row), { isNew: mayBegin(row), attempts: row.attempt }),
        patienceMs,
      )) === "removed"
    );
  } catch (error) {
    log("warn", "failure", { during: "retention", job_id: row.id, message: describeError(error) });
    return false;
  }
}
