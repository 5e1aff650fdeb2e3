import { ProjectId } from "../../contract/common.ts";
import { type Caller, mayUseProject } from "../../core/access.ts";
import { AppError } from "./problem.ts";
import { routesOf } from "./route.ts";

/** @throws AppError `not_found` for what is no project, or none of the caller's */
export function requireProject(caller: Caller, text: string): number {
  const projectId = ProjectId.safeParse(/^\d{1,16}$/.test(text) ? Number(text) : null);
  if (!projectId.success || !mayUseProject(caller, projectId.data)) {
    throw new AppError("not_found");
  }
  return projectId.data;
}

/** What is in a project. */
export const projectRoute = routesOf("project", async (c, text) => requireProject(c.get("caller"), text));
