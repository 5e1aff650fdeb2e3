/** So many progress events a second a project's object takes in all: status changes and calls of others come on top. */
const progressPerSecond = 80;
/** How soon a lone job may tell its next progress. */
const leastPauseMs = 250;

/**
 * The turns of a project's jobs to tell progress, one after the other: whoever tells something is given the next one.
 * So the object's load does not grow with the number of jobs; the pause of each job does.
 * @param last the turn that was given last
 */
export function nextTurn(last: number, now: number): { turn: number; pauseMs: number } {
  const turn = Math.max(last, now) + 1000 / progressPerSecond;
  return { turn, pauseMs: Math.max(leastPauseMs, Math.ceil(turn - now)) };
}
