import { readdirSync, readFileSync } from "node:fs";

function parentOf(id: string): string {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** A process and all that come from it, by id. Linux only; empty elsewhere. */
export function familyOf(ancestor: number): string[] {
  const ids = existing().map((id) => [id, parentOf(id)] as const);
  const family = new Set([String(ancestor)]);
  // A child may stand before its parent.
  for (let size = 0; size < family.size; ) {
    size = family.size;
    for (const [id, parent] of ids) {
      if (family.has(parent)) {
        family.add(id);
      }
    }
  }
  return [...family];
}

function existing(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
