import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What the kernel says of a process; empty when it has ended, or where there is no such thing. */
export function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}

function listProcesses(): string[] {
  return existsSync("/proc") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
}

/** The ids of a process group's workerd processes. Linux only. */
export function listRuntimes(group: number): string[] {
  return listProcesses().filter((id) => {
    const [, , pgrp] = readProc(`${id}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ");
    return Number(pgrp) === group && readProc(`${id}/comm`).startsWith("workerd");
  });
}

/** A process and all that come from it, by id. Linux only; itself alone elsewhere. */
export function familyOf(ancestor: number): string[] {
  const ids = listProcesses().map((id) => [id, /^PPid:\s*(\d+)/m.exec(readProc(`${id}/status`))?.[1] ?? ""] as const);
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

/** Resident memory of a process in bytes: what it holds now, or the most that it has held. */
export function memoryOf(id: string, which: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readProc(`${id}/status`))?.[1] ?? 0) * 1024;
}

/** What several processes hold together now, in bytes. */
export function memoryOfAll(ids: readonly string[]): number {
  return ids.reduce((sum, id) => sum + memoryOf(id, "VmRSS"), 0);
}
