import type { Job, JobEvent } from "../client/index.ts";

const barWidth = 24;

export function toBar(percent: number): string {
  const full = Math.round((percent / 100) * barWidth);
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)} ${String(Math.round(percent)).padStart(3)} %`;
}

export function toLine({ status, stage, progress, attempt, message }: JobEvent | Job): string {
  const tries = attempt > 1 ? ` · attempt ${attempt}` : "";
  return `${toBar(progress)}  ${status} · ${stage}${tries}${message ? ` · ${message}` : ""}`;
}

/** A line that is written over as long as a person looks on; one line after the other into a file. */
export class StatusLine {
  readonly #stream: NodeJS.WriteStream;
  #last = "";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (text === this.#last) {
      return;
    }
    this.#last = text;
    this.#stream.write(this.#stream.isTTY ? `\r\u001b[K${text.slice(0, this.#stream.columns - 1)}` : `${text}\n`);
  }

  end(): void {
    if (this.#stream.isTTY && this.#last !== "") {
      this.#stream.write("\n");
    }
    this.#last = "";
  }
}
