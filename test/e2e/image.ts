import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { root } from "../docs/markdown.ts";

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()) });

/** What the Dockerfile says behind `instruction`, once for each time that it does. */
export function readInstruction(instruction: string): string[] {
  const text = readFileSync(join(root, "renderer", "Dockerfile"), "utf8").replaceAll(/\\\n\s*/g, "");
  return [...text.matchAll(new RegExp(`^${instruction} (.*)$`, "gm"))].map(([, rest = ""]) => rest);
}

/**
 * The folder `/app` as the image has it: what the Dockerfile copies, and beside it only the packages that the renderer
 * declares for it.
 */
export function makeImageFolder(app: string): void {
  for (const copy of readInstruction("COPY")) {
    const sources = copy.split(/\s+/);
    const target = sources.pop() ?? "";
    for (const source of sources) {
      const from = join(root, source);
      if (!existsSync(from)) {
        throw new Error(`The Dockerfile copies ${source}, which is not there.`);
      }
      const isInto = target.endsWith("/");
      cpSync(from, isInto ? join(app, target, source.split("/").at(-1) ?? "") : join(app, target), { recursive: true });
    }
  }
  const { dependencies } = Manifest.parse(JSON.parse(readFileSync(join(app, "renderer", "package.json"), "utf8")));
  for (const name of Object.keys(dependencies)) {
    const link = join(app, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
}
