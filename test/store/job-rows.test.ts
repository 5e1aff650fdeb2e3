import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { openDatabase } from "../../src/store/database.ts";
import { deleteJobRow, findJob, insertJob, reopenJobRow } from "../../src/store/jobs.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";
import { insertRow, newRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const over = {
  status: "complete",
  completedAt: "2026-01-01T00:00:00.000Z",
  settledAt: "2026-01-01T00:00:00.000Z",
} as const;
const failed = { ...over, status: "error" } as const;

describe("a row that shows another's output", () => {
  it("is inserted only while its lender is there and complete", async () => {
    const [lender, failure] = [await insertRow(over), await insertRow(failed)];
    const borrow = (reusedFrom: string, tenantId = "t") =>
      insertJob(db, newRow({ ...over, settledAt: null, tenantId, reusedFrom }), 1_000);
    expect(await borrow(lender.id)).toMatchObject({ reusedFrom: lender.id, settledAt: null });
    expect(await borrow(failure.id)).toBeNull();
    expect(await borrow(newId())).toBeNull();
    expect(await borrow(lender.id, "other")).toBeNull();
  });

  it("keeps its lender's row; of a removal and a loan at once exactly one comes about", async () => {
    for (let round = 0; round < 10; round++) {
      const lender = await insertRow(over);
      const borrower = newRow({ ...over, reusedFrom: lender.id });
      const [first, second] = [() => insertJob(db, borrower, 1_000), () => deleteJobRow(db, lender)];
      await Promise.all(round % 2 === 0 ? [first(), second()] : [second(), first()]);
      const rows = await Promise.all([findJob(db, "t", lender.id), findJob(db, "t", borrower.id)]);
      expect(rows.map((row) => row !== null)).toEqual(Array(2).fill(rows[0] !== null));
    }
  });

  it("lets its lender go when it is gone itself", async () => {
    const lender = await insertRow(over);
    const borrower = await insertRow({ ...over, reusedFrom: lender.id });
    expect(await deleteJobRow(db, lender)).toBe("lent");
    expect(await deleteJobRow(db, { ...lender, tenantId: "other" })).toBe("deleted");
    expect(await findJob(db, "t", lender.id)).not.toBeNull();
    expect(await deleteJobRow(db, borrower)).toBe("deleted");
    for (let again = 0; again < 2; again++) {
      expect(await deleteJobRow(db, lender)).toBe("deleted");
    }
    expect(await findJob(db, "t", lender.id)).toBeNull();
  });
});

describe("reopenJobRow", () => {
  it("keeps the quota however many ask at once, and lets one in that is active already", async () => {
    const tenantId = newId();
    const rows = [];
    for (let count = 0; count < 5; count++) {
      rows.push(await insertRow({ ...failed, tenantId, version: 7 }));
    }
    const answers = await Promise.all(rows.map((row) => reopenJobRow(db, row, 7, 2)));
    expect(answers.filter((isWithin) => isWithin)).toHaveLength(2);
    const again = await Promise.all(rows.map((row) => reopenJobRow(db, row, 7, 2)));
    expect(again).toEqual(answers);
    expect(await insertJob(db, newRow({ tenantId }), 2)).toBeNull();
    for (const [index, row] of rows.entries()) {
      const seen = answers[index] ? { version: 8, settledAt: null } : { version: 7, settledAt: failed.settledAt };
      expect(await findJob(db, tenantId, row.id)).toMatchObject(seen);
    }
    expect(await reopenJobRow(db, { tenantId, id: newId() }, 1, 100)).toBe(false);
  });

  it("raises the version above the object's and never lowers it, and reads no more than the quota", async () => {
    const tenantId = newId();
    const row = await insertRow({ ...failed, tenantId, version: 20 });
    for (let count = 0; count < 30; count++) {
      await insertRow({ tenantId });
    }
    const { db: counting, meter } = openMeteredDatabase();
    expect(await reopenJobRow(counting, row, 9, 10)).toBe(false);
    expect(meter.read[0]).toBeLessThan(15);
    expect(await reopenJobRow(counting, row, 9, 100)).toBe(true);
    expect(await findJob(db, tenantId, row.id)).toMatchObject({ version: 20, completedAt: null });
  });
});
