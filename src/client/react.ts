"use client";

import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import type { ExportJobs, Job } from "./index.ts";
import { type ExportState, LiveJob } from "./live-job.ts";
import { LiveList, type LiveListOptions } from "./live-list.ts";

export type { ExportState, LiveListOptions };

const Client = createContext<ExportJobs | null>(null);

/** The first of several clients that are alike: one that is made in each render counts as one. */
function useFirstLike<Given extends ExportJobs | null>(given: Given): Given {
  const [first, setFirst] = useState(given);
  const isSame = first === given || (first !== null && given !== null && first.isLike(given));
  if (!isSame) {
    setFirst(given);
  }
  return isSame ? first : given;
}

/** Gives a client to the hooks below. */
export function ExportJobsProvider({ client, children }: { client: ExportJobs; children?: ReactNode }) {
  return createElement(Client.Provider, { value: useFirstLike(client) }, children);
}

/** The provider's client, or the given one. */
export function useExportJobs(given: ExportJobs | null = null): ExportJobs {
  const provided = useContext(Client);
  const client = useFirstLike(given ?? provided);
  if (!client) {
    throw new Error("Give the hook a client, or put an ExportJobsProvider around it.");
  }
  return client;
}

type Store<State> = Pick<LiveJob, "subscribe" | "restart"> & {
  getSnapshot: () => State;
  getServerSnapshot: () => State;
};

function useStore<State>(store: Store<State>): State {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}

const noExport: ExportState = { job: null, event: null, error: null };
const noStore: Store<ExportState> = {
  subscribe: () => () => undefined,
  restart: () => undefined,
  getSnapshot: () => noExport,
  getServerSnapshot: () => noExport,
};
const noExports: readonly Job[] = [];

/** A hook's arguments, with the provider's client where none is given. */
type WithClient<Arguments extends unknown[]> = [client: ExportJobs, ...Arguments] | Arguments;

function isGiven<Arguments extends unknown[]>(all: WithClient<Arguments>): all is [ExportJobs, ...Arguments] {
  return typeof all[0] === "object" && all[0] !== null;
}

type Followed = {
  isLoading: boolean;
  /** Begins anew, as after an error. */
  restart: () => void;
};

type ExportArguments = [
  id: string | null,
  options?: {
    /** The job, where it was read already, as on a server that renders the page. */
    initial?: Job | null;
  },
];

/** Follows one export live until its end. With `id` null it waits for one. */
export function useExport(...all: WithClient<ExportArguments>): ExportState & Followed {
  const [given, id, { initial = null } = {}] = isGiven(all) ? all : ([null, ...all] as const);
  const client = useExportJobs(given);
  const known = initial?.id === id ? initial : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was read before counts at the beginning only
  const store = useMemo(() => (id === null ? noStore : new LiveJob(client, id, known)), [client, id]);
  const state = useStore(store);
  return { ...state, isLoading: id !== null && !state.job && !state.error, restart: store.restart };
}

type ExportsArguments = [projectId: number, options?: Omit<LiveListOptions, "projectId">];

/** The newest exports of a project, live, through one connection. */
export function useExports(
  ...all: WithClient<ExportsArguments>
): { exports: readonly Job[]; error: Error | null } & Followed {
  const [given, projectId, options] = isGiven(all) ? all : ([null, ...all] as const);
  const client = useExportJobs(given);
  const wanted = JSON.stringify({ ...options, projectId });
  const store = useMemo(() => new LiveList(client, JSON.parse(wanted)), [client, wanted]);
  const { jobs, error } = useStore(store);
  return { exports: jobs ?? noExports, error, isLoading: !jobs && !error, restart: store.restart };
}
