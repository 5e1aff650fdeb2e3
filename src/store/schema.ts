import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Metadata } from "../contract/common.ts";
import type { JobErrorCode, JobStatus } from "../contract/job.ts";
import type { Scope } from "../contract/scope.ts";
import type { JobParams, JobType } from "../contract/types/index.ts";
import type { UploadContentType, UploadStatus } from "../contract/upload.ts";
import type { WebhookEventType } from "../contract/webhook.ts";
import type { Returned, StoredOutput } from "../core/job-state.ts";
import type { Waiting } from "../core/queue.ts";

/** The types that a job may have; the other table of migrations/0013_open_job_types.sql. */
export const jobTypeRows = sqliteTable("job_types", { type: text("type").primaryKey().notNull() });

/**
 * The table of migrations/0013_open_job_types.sql for drizzle's queries. The SQL file is the source (drizzle-kit
 * writes neither STRICT nor WITHOUT ROWID); test/store/jobs.test.ts fails when the two part.
 */
export const exportJobs = sqliteTable(
  "export_jobs",
  {
    id: text("id").notNull(),
    tenantId: text("tenant_id").notNull(),
    projectId: integer("project_id").notNull(),
    userId: text("user_id"),
    type: text("type")
      .$type<JobType>()
      .notNull()
      .references(() => jobTypeRows.type),
    status: text("status").$type<JobStatus>().notNull().default("pending"),
    stage: text("stage").notNull().default("queued"),
    progress: integer("progress").notNull().default(0),
    message: text("message"),
    inputVideoKey: text("input_video_key"),
    outputVideoKey: text("output_video_key"),
    outputSize: integer("output_size"),
    outputEtag: text("output_etag"),
    params: text("params", { mode: "json" }).$type<JobParams>().notNull(),
    metadata: text("metadata", { mode: "json" }).$type<Metadata>().notNull().default({}),
    errorCode: text("error_code").$type<JobErrorCode>(),
    errorMessage: text("error_message"),
    attempt: integer("attempt").notNull().default(0),
    maxRetries: integer("max_retries").notNull(),
    startWithinSeconds: integer("start_within_seconds"),
    maxRunSeconds: integer("max_run_seconds"),
    runpodJobId: text("runpod_job_id"),
    version: integer("version").notNull().default(1),
    idempotencyKey: text("idempotency_key"),
    requestHash: text("request_hash"),
    createdAt: text("created_at").notNull(),
    startedAt: text("started_at"),
    completedAt: text("completed_at"),
    updatedAt: text("updated_at").notNull(),
    settledAt: text("settled_at"),
    acknowledgedAt: text("acknowledged_at"),
    fingerprint: text("fingerprint"),
    reusedFrom: text("reused_from"),
    webhookUrl: text("webhook_url"),
    webhookEvents: text("webhook_events", { mode: "json" }).$type<WebhookEventType[]>(),
    inputSize: integer("input_size"),
    /** Until when a healthy job writes nothing. */
    quietUntil: text("quiet_until"),
    assets: text("assets", { mode: "json" }).$type<Readonly<Record<string, string>>>(),
    artifacts: text("artifacts", { mode: "json" }).$type<NonNullable<StoredOutput["artifacts"]>>(),
    result: text("result"),
    counters: text("counters", { mode: "json" }).$type<Returned["counters"]>(),
    priority: integer("priority").notNull().default(0),
  },
  (job) => [
    primaryKey({ columns: [job.tenantId, job.id] }),
    check("status", sql`status IN ('pending', 'processing', 'complete', 'error', 'cancelled')`),
    check("progress", sql`progress BETWEEN 0 AND 100`),
    check("params", sql`json_valid(params)`),
    check("metadata", sql`json_valid(metadata)`),
    check("assets", sql`json_valid(assets)`),
    check("artifacts", sql`json_valid(artifacts)`),
    check("result", sql`json_valid(result)`),
    check("counters", sql`json_valid(counters)`),
    check("priority", sql`priority BETWEEN -10 AND 10`),
    index("export_jobs_by_project").on(job.tenantId, job.projectId, job.id),
    index("export_jobs_by_user").on(job.tenantId, job.userId, job.id).where(sql`user_id IS NOT NULL`),
    index("export_jobs_active").on(job.tenantId, job.projectId, job.id).where(sql`completed_at IS NULL`),
    index("export_jobs_unsettled").on(job.id).where(sql`settled_at IS NULL`),
    index("export_jobs_by_fingerprint").on(job.tenantId, job.fingerprint, job.id).where(sql`fingerprint IS NOT NULL`),
    index("export_jobs_by_reuse").on(job.tenantId, job.reusedFrom).where(sql`reused_from IS NOT NULL`),
    uniqueIndex("export_jobs_by_idempotency_key")
      .on(job.tenantId, job.idempotencyKey)
      .where(sql`idempotency_key IS NOT NULL`),
  ],
);

/** The table of migrations/0011_remember_joined_keys.sql. */
export const joinedKeys = sqliteTable(
  "joined_keys",
  {
    tenantId: text("tenant_id").notNull(),
    idempotencyKey: text("idempotency_key").notNull(),
    jobId: text("job_id").notNull(),
    requestHash: text("request_hash"),
  },
  (joined) => [primaryKey({ columns: [joined.tenantId, joined.idempotencyKey] })],
);

/** The table of migrations/0002_create_usage.sql. */
export const usage = sqliteTable(
  "usage",
  {
    tenantId: text("tenant_id").notNull(),
    day: text("day").notNull(),
    projectId: integer("project_id").notNull(),
    jobId: text("job_id").notNull(),
    attempt: integer("attempt").notNull(),
    type: text("type").$type<JobType>().notNull(),
    outcome: text("outcome").notNull(),
    /** How the job ended, on the row of its last attempt alone. */
    jobStatus: text("job_status").$type<JobStatus>(),
    gpuMs: integer("gpu_ms").notNull(),
    queueMs: integer("queue_ms").notNull(),
    bytesIn: integer("bytes_in").notNull(),
    bytesOut: integer("bytes_out").notNull(),
    outputMs: integer("output_ms"),
    userId: text("user_id"),
    counters: text("counters", { mode: "json" }).$type<Returned["counters"]>(),
  },
  (row) => [primaryKey({ columns: [row.tenantId, row.day, row.projectId, row.jobId, row.attempt] })],
);

/** The other table of migrations/0002_create_usage.sql. */
export const taskCursors = sqliteTable("task_cursors", {
  task: text("task").primaryKey().notNull(),
  position: text("position").notNull(),
});

/** The table of migrations/0009_quiet_jobs_and_queue_snapshots.sql. */
export const queueSnapshots = sqliteTable("queue_snapshots", {
  queue: text("queue").primaryKey().notNull(),
  takenAt: text("taken_at").notNull(),
  waiting: text("waiting", { mode: "json" }).$type<Waiting>().notNull(),
});

/** The table of migrations/0008_add_webhook_tenants.sql. */
export const webhookTenants = sqliteTable("webhook_tenants", { tenantId: text("tenant_id").primaryKey().notNull() });

/** The table of migrations/0003_create_api_keys.sql. */
export const apiKeys = sqliteTable("api_keys", {
  id: text("id").primaryKey().notNull(),
  tenantId: text("tenant_id").notNull(),
  name: text("name").notNull(),
  secretHmac: text("secret_hmac").notNull(),
  scopes: text("scopes", { mode: "json" }).$type<Scope[]>().notNull(),
  projectIds: text("project_ids", { mode: "json" }).$type<number[]>(),
  createdAt: text("created_at").notNull(),
  expiresAt: text("expires_at"),
  revokedAt: text("revoked_at"),
  lastUsedAt: text("last_used_at"),
});

/** The tables of migrations/0004_create_uploads.sql. */
export const uploads = sqliteTable(
  "uploads",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    projectId: integer("project_id").notNull(),
    uploadedBy: text("uploaded_by"),
    filename: text("filename").notNull(),
    contentType: text("content_type").$type<UploadContentType>().notNull(),
    size: integer("size").notNull(),
    objectKey: text("object_key").notNull(),
    status: text("status").$type<UploadStatus>().notNull().default("pending"),
    /** R2's own id of a multipart upload. */
    multipartId: text("multipart_id"),
    partSize: integer("part_size"),
    /** By part number, the ETag that R2 gave it. */
    parts: text("parts", { mode: "json" }).$type<Record<string, string>>().notNull().default({}),
    createdAt: text("created_at").notNull(),
    expiresAt: text("expires_at").notNull(),
    completedAt: text("completed_at"),
    idempotencyKey: text("idempotency_key"),
    requestHash: text("request_hash"),
  },
  (upload) => [primaryKey({ columns: [upload.tenantId, upload.id] })],
);

export const storedBytes = sqliteTable("stored_bytes", {
  tenantId: text("tenant_id").primaryKey().notNull(),
  bytes: integer("bytes").notNull(),
});

/** The table of migrations/0010_add_shares_of_users.sql. */
export const userStoredBytes = sqliteTable(
  "user_stored_bytes",
  { tenantId: text("tenant_id").notNull(), userId: text("user_id").notNull(), bytes: integer("bytes").notNull() },
  (share) => [primaryKey({ columns: [share.tenantId, share.userId] })],
);

/** The tables of migrations/0012_create_documents.sql. */
export const documentVersions = sqliteTable(
  "document_versions",
  {
    tenantId: text("tenant_id").notNull(),
    projectId: integer("project_id").notNull(),
    name: text("name").notNull(),
    version: integer("version").notNull(),
    objectKey: text("object_key").notNull(),
    size: integer("size").notNull(),
    etag: text("etag").notNull(),
    userId: text("user_id"),
    createdAt: text("created_at").notNull(),
  },
  (document) => [primaryKey({ columns: [document.tenantId, document.projectId, document.name, document.version] })],
);

export const documentSchemas = sqliteTable(
  "document_schemas",
  {
    tenantId: text("tenant_id").notNull(),
    name: text("name").notNull(),
    version: integer("version").notNull(),
    /** The schema itself, as text. */
    schema: text("schema").notNull(),
    updatedAt: text("updated_at").notNull(),
  },
  (schema) => [primaryKey({ columns: [schema.tenantId, schema.name] })],
);

export type UsageRow = typeof usage.$inferInsert;
export type ExportJobRow = typeof exportJobs.$inferSelect;
export type NewExportJobRow = typeof exportJobs.$inferInsert;
export type ApiKeyRow = typeof apiKeys.$inferSelect;
export type UploadRow = typeof uploads.$inferSelect;
export type NewUploadRow = typeof uploads.$inferInsert;
export type DocumentVersionRow = typeof documentVersions.$inferSelect;
export type DocumentSchemaRow = typeof documentSchemas.$inferSelect;
