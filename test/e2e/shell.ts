import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs lines of shell as someone would paste them; stops at the first that fails. */
export async function runShell(script: string, cwd: string, env: Record<string, string>) {
  // Bash takes a pipe of Node for a line from elsewhere, and would read its user's settings first.
  const child = spawn("bash", ["--norc", "-euo", "pipefail", "-c", script], { cwd, env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [status] = await once(child, "close");
  return { output, status: Number(status) };
}
