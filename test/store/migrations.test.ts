import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../migrations");
const files = readdirSync(folder).sort();
const read = (file: string) => readFileSync(join(folder, file), "utf8");

/** A file that was applied somewhere is never applied again: what it says must stay what was done. */
const hashes: Readonly<Record<string, string>> = {
  "0001_create_export_jobs.sql": "14ab18881408a085c681998ae433f35dcaa88555a586a884f35d1b2eac01945b",
  "0002_create_usage.sql": "76dd5f6c65b14ed86e56dda05c32c4c5c2ae5803364a9017cd7e783e1a35c475",
  "0003_create_api_keys.sql": "33b9adfaf3442ab7e0eee0d0e018367c595110f22f6dbcb44d31a91a95a6617f",
  "0004_create_uploads.sql": "dc1fd80b0e225bf95466cd00341932f3d9ffd41b3d7bc8dcdcc84049071428bc",
  "0005_amend_export_jobs.sql": "781ccb2c4ea16b561277cf524527112820ef97358b3206d38a92350e9845b1d3",
  "0006_add_webhooks.sql": "f8eb6cca8040aca1e3211a522bfe9e0e6d7e9c9f2e0eb3f19b9e0c2eda4fdc3b",
  "0007_add_measures.sql": "b5b98ec5f7efc381247c2e581eb014772fc7f62a5b3771006850b6c59f12bc6f",
  "0008_add_webhook_tenants.sql": "a2069f42e10863db3f1c3831e41757c1d06faee6e5aaaf8acdb7b515bceb392a",
  "0009_quiet_jobs_and_queue_snapshots.sql": "7da8fc03f4c7401ad360553f3045c2be84540edd57325d2b9bd16d20e4306fb3",
  "0010_add_shares_of_users.sql": "3cb4059fb8bd3179f101e0d66804cd097b2b0978cc2496dd39a1380182415e6f",
  "0011_remember_joined_keys.sql": "48ae0d98026021bcbf266b68ae74aff14aa1f10d30917b153cb74c3f97d8b5cc",
  "0012_create_documents.sql": "5bd7fa43e7566890fcc0124ed888e0d25859419657c96344b6f5cb80805d9407",
  "0013_open_job_types.sql": "ffe44d567b19b3ab93b1e9230e6d655fa7f24cf59e125ef9f22f3619350eed9e",
};

it("migrations are never changed, only added, in one order", () => {
  expect(
    Object.fromEntries(files.map((file) => [file, createHash("sha256").update(read(file)).digest("hex")])),
  ).toEqual(hashes);
  expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, index) => index + 1));
});

/** It counts what it moves, and test/store/open-job-types.test.ts runs it over ten thousand jobs. */
const rebuilding = "0013_open_job_types.sql";

it.each(files)("%s rebuilds no table, drops none, deletes no child rows, and says how to go back", (file) => {
  const text = read(file);
  const moves =
    file === rebuilding
      ? /__new_|foreign_keys|ON DELETE CASCADE/i
      : /DROP TABLE|__new_|foreign_keys|ON DELETE CASCADE/i;
  expect(text).not.toMatch(moves);
  expect(text).toMatch(/^-- Rollback: \S/);
});
