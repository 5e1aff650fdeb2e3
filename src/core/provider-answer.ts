/**
 * What a call to RunPod came to, whichever call it was:
 * - `ok`: it answered, in words that can be read
 * - `not_bought`: surely nothing happened there; the same may be sent again
 * - `maybe_bought`: it may have happened, nobody knows
 * - `busy`: refused for now; `afterMs` is RunPod's own wish, unbounded above, null when it gave none that can be read
 * - `misconfigured`: refused until the operator mends the key, the address or the endpoint's id
 * - `job_fault`: refused because of what was sent, and it would be again
 *
 * The messages are ours, short, and hold nothing of RunPod's body.
 */
export type ProviderAnswer<Value> = Readonly<
  | { kind: "ok"; value: Value }
  | { kind: "not_bought"; message: string }
  | { kind: "maybe_bought"; message: string }
  | { kind: "busy"; afterMs: number | null; message: string }
  | { kind: "misconfigured"; message: string }
  | { kind: "job_fault"; message: string }
>;

export type ProviderAnswerKind = ProviderAnswer<unknown>["kind"];

/** The calls that RunPod counts, each with a limit of its own. */
export type ProviderCall = "run" | "status" | "cancel";

/** Every answer but `ok`. */
export type ProviderTrouble = Exclude<ProviderAnswer<never>, { kind: "ok" }>;
