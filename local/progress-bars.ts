const barWidth = 30;
const controlSequence = "\u001b[";

type Line = { progress: number; text: string };

/** Several progress bars, redrawn in place on a terminal; elsewhere one line per change of text or quarter. */
export class ProgressBars {
  readonly #lines = new Map<string, Line>();
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  update(name: string, progress: number, text: string): void {
    const before = this.#lines.get(name);
    this.#lines.set(name, { progress, text });
    if (this.#out.isTTY) {
      this.#redraw();
    } else if (before?.text !== text || Math.floor(before.progress / 25) !== Math.floor(progress / 25)) {
      this.#out.write(`${toLine(name, { progress, text })}\n`);
    }
  }

  #redraw(): void {
    const lines = [...this.#lines].map(([name, line]) => `${controlSequence}2K${toLine(name, line)}\n`);
    this.#out.write(`${this.#drawn > 0 ? `${controlSequence}${this.#drawn}A` : ""}${lines.join("")}`);
    this.#drawn = lines.length;
  }
}

function toLine(name: string, { progress, text }: Line): string {
  const full = Math.round((progress / 100) * barWidth);
  return `${name.padEnd(9)} ${"█".repeat(full)}${"░".repeat(barWidth - full)} ${String(progress).padStart(3)} %  ${text}`;
}
