import { ExportJobs } from "../client/index.ts";
import { isAbort } from "./dom.ts";

const tokenKey = "export-jobs-token";
const projectKey = "export-jobs-project";

/** The key stays in this tab: closing it signs out. */
export function readToken(): string | null {
  return sessionStorage.getItem(tokenKey);
}

export function signIn(token: string): void {
  sessionStorage.setItem(tokenKey, token);
}

export function signOut(): void {
  sessionStorage.removeItem(tokenKey);
}

export function readProject(): number {
  return toProject(localStorage.getItem(projectKey) ?? "") ?? 1;
}

/** Null for what is no number of a project. */
export function toProject(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

export function chooseProject(projectId: number): void {
  localStorage.setItem(projectKey, String(projectId));
}

function showConnection(isLost: boolean): void {
  const banner = document.getElementById("connection");
  if (banner) {
    banner.hidden = !isLost;
    banner.textContent = isLost ? "The connection is lost. Trying again …" : "";
  }
}

/** The client over a fetch that shows whether the service can be reached. */
export function newClient(token: string): ExportJobs {
  const watchedFetch: typeof fetch = async (input, init) => {
    try {
      const response = await fetch(input, init);
      showConnection(false);
      return response;
    } catch (error) {
      showConnection(!isAbort(error) && !init?.signal?.aborted);
      throw error;
    }
  };
  return new ExportJobs({ url: location.origin, token, fetch: watchedFetch });
}
