import { readdirSync, readFileSync } from "node:fs";

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
}

/** The ids of a process group's workerd processes. Linux only. */
export function listRuntimes(group: number): string[] {
  return readdirSync("/proc").filter((id) => {
    const [, , pgrp] = readProc(`${id}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ");
    return /^\d+$/.test(id) && Number(pgrp) === group && readProc(`${id}/comm`).startsWith("workerd");
  });
}

/** Resident memory of a process in bytes: what it holds now, or the most that it has held. */
export function memoryOf(id: string, which: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readProc(`${id}/status`))?.[1] ?? 0) * 1024;
}

/** What several processes hold together now, in bytes. */
export function memoryOfAll(ids: readonly string[]): number {
  return ids.reduce((sum, id) => sum + memoryOf(id, "VmRSS"), 0);
}
