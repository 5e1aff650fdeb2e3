/** So long a task waits for one object: one that hangs must not hold up the others. */
const patienceMs = 10_000;

/** Calls an object. @throws when it gives no answer in time */
export async function callObject<Value>(call: Promise<Value>, limitMs = patienceMs): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), limitMs);
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
