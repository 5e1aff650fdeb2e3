/** Where a fault can strike: around each effect of the engine, and right behind each kind of commit. */
export const effectPoints = {
  dispatch: "submitRun",
  "verify.status": "askStatus",
  "verify.head": "findOutput",
  write_row: "writeRow",
  cancel: "cancelRun",
  deletion: "deleteOutput",
  delete_row: "deleteRow",
} as const;
export type EffectPoint = keyof typeof effectPoints;

export const commitPoints = ["start.afterCommit", "hook.afterCommit", "final.afterCommit"] as const;
export type FaultPoint =
  | EffectPoint
  | (typeof commitPoints)[number]
  | "removal.afterCommit"
  | "create.afterD1"
  | "sweep.afterRead";

export const effectKinds = ["throw before", "throw after", "abort before", "abort after", "delay", "double"] as const;
export const abruptKinds = ["throw after", "abort after"] as const;
export type FaultKind = (typeof effectKinds)[number];

type Armed = { point: FaultPoint; kind: FaultKind };

let armed: Armed | null = null;
let struck = 0;

/** The next time that this point is passed, this goes wrong; once. */
export function arm(point: FaultPoint, kind: FaultKind): void {
  armed = { point, kind };
  struck = 0;
}

/** Whether the armed fault has struck. */
export function hasStruck(): boolean {
  return struck > 0;
}

/** Takes the armed fault, if it is this one. */
export function take(point: FaultPoint, kinds: readonly FaultKind[]): FaultKind | null {
  if (armed?.point !== point || !kinds.includes(armed.kind)) {
    return null;
  }
  const { kind } = armed;
  armed = null;
  struck++;
  return kind;
}
