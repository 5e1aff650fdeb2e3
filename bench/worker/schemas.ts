/** The plain design's table and indexes: those that such services begin with. */
export const plainSchema = [
  `CREATE TABLE plain_jobs (
    id TEXT PRIMARY KEY,
    project_id INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('framing', 'overlay', 'annotate')),
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'complete', 'error')),
    progress INTEGER DEFAULT 0,
    error TEXT,
    input_video_key TEXT NOT NULL,
    output_video_key TEXT,
    params TEXT NOT NULL,
    runpod_job_id TEXT,
    created_at TEXT DEFAULT CURRENT_TIMESTAMP,
    started_at TEXT,
    completed_at TEXT
  )`,
  "CREATE INDEX plain_jobs_status ON plain_jobs (status)",
  "CREATE INDEX plain_jobs_project ON plain_jobs (project_id, status)",
  "CREATE INDEX plain_jobs_runpod ON plain_jobs (runpod_job_id)",
];

/** Workflows keep no progress: their documentation puts such state into D1. */
export const flowSchema = ["CREATE TABLE flow_progress (id TEXT PRIMARY KEY, progress INTEGER) STRICT, WITHOUT ROWID"];
