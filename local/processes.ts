import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const stopWithinMs = 8_000;

/** A program started in a process group of its own, so that it can be ended with all that it started. */
export class Service {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(name: string, command: string, args: string[], logFile: string, env: NodeJS.ProcessEnv) {
    const log = openSync(logFile, "a");
    this.#name = name;
    this.#logFile = logFile;
    this.#child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env });
  }

  /** The process group: the program's own id. */
  get group(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until the address answers with 2xx or 401. @throws Error when it ends or stays silent */
  async ready(url: string, withinMs: number): Promise<void> {
    const until = Date.now() + withinMs;
    while (Date.now() < until) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`${this.#name} ended at once; its log is ${this.#logFile}`);
      }
      const status = await fetch(url).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 401 || (status >= 200 && status < 300)) {
        return;
      }
      await sleep(100);
    }
    throw new Error(`${this.#name} did not answer at ${url}; its log is ${this.#logFile}`);
  }

  /** Ends the whole group: politely, then not. */
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    const gone = this.#isOver() ? Promise.resolve() : once(this.#child, "exit");
    await Promise.race([gone, sleep(stopWithinMs)]);
    this.kill("SIGKILL");
  }

  kill(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) {
        process.kill(-this.#child.pid, signal);
      }
    } catch {
      // The group is already gone.
    }
  }

  #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** A free port of 127.0.0.1: the wished one, if it is free. */
export async function findPort(wished = 0): Promise<number> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(wished, "127.0.0.1", () => resolve(true));
  });
  if (!listening) {
    return findPort();
  }
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") {
    throw new Error("no port to be had");
  }
  return address.port;
}
