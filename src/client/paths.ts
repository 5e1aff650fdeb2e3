import { InvalidIdError } from "./errors.ts";

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const message = /^\w[\w-]*$/;

/** A path with an id in it. @throws InvalidIdError for what would lead elsewhere */
function pathOf(pattern: RegExp, base: string, id: string, rest: string): string {
  if (!pattern.test(id)) {
    throw new InvalidIdError(id);
  }
  return `/api/${base}/${id}${rest}`;
}

export const jobPath = (id: string, rest = "") => pathOf(uuid, "jobs", id, rest);
export const uploadPath = (id: string) => pathOf(uuid, "uploads", id, "");
export const endpointPath = (id: string, rest = "") => pathOf(uuid, "webhook-endpoints", id, rest);
export const resendPath = (id: string) => pathOf(message, "webhook-endpoints/deliveries", id, "/resend");
export const projectPath = (id: number, rest: string) => pathOf(/^\d{1,16}$/, "projects", String(id), rest);
export const documentPath = (project: number, name: string, rest = "") =>
  pathOf(/^\d{1,16}\/documents\/[\w-]{1,64}$/, "projects", `${project}/documents/${name}`, rest);

/** A query of what is given. */
export function toQuery(fields: Readonly<Record<string, string | number | null | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) {
      query.set(name, String(value));
    }
  }
  return query.size === 0 ? "" : `?${query}`;
}
