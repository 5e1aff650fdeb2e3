import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function readDocument(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The shell blocks of a Markdown file; with a name, those right behind `<!-- name -->`. */
export function readShellBlocks(path: string, name?: string): string[] {
  const marker = name === undefined ? "" : `<!-- ${name} -->\\s*`;
  const pattern = new RegExp(`${marker}\`\`\`sh\\n([\\s\\S]*?)\`\`\``, "g");
  return [...readDocument(path).matchAll(pattern)].map(([, text = ""]) => text);
}
