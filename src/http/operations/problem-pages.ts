import { ProblemCode, problems } from "../../contract/problem.ts";
import { AppError } from "../edge/problem.ts";
import { pageRoute } from "../edge/route.ts";

/** The pages that a problem's `type` leads to. */
export const problemPage = pageRoute("GET /problems/{code}", async (c) => {
  const code = ProblemCode.safeParse(c.req.param("code"));
  if (!code.success) {
    throw new AppError("not_found");
  }
  const { status, title, meaning: said }: { status: number; title: string; meaning: string } = problems[code.data];
  // Words of ours alone, and of what HTML would take for its own only this.
  const meaning = said.replaceAll("<", "&lt;");
  return c.html(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }</style>
<h1>${title}</h1>
<p>${meaning}</p>
<p>HTTP ${status}, code <code>${code.data}</code>.</p>
</html>`);
});
