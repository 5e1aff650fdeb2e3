import { z } from "zod";
import { inText } from "./contract/common.ts";
import type { ApiKey } from "./core/api-key.ts";
import {
  anyText,
  apiKey,
  ms,
  origins,
  othersUrl,
  ownUrl,
  required,
  signingKeys,
  text,
  withoutSlash,
} from "./core/setting-fields.ts";
import type { SigningKeys } from "./core/signing.ts";
import type { Timers } from "./core/timers.ts";
import type { RunpodAccess } from "./runpod/client.ts";
import type { S3Access } from "./store/s3.ts";
import type { UploadQuota } from "./store/uploads.ts";

/** A setting is missing or malformed; the message names each, never a value. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const SettingsSchema = z.object({
  PUBLIC_BASE_URL: ownUrl,
  RUNPOD_BASE_URL: othersUrl.transform(withoutSlash).default("https://api.runpod.ai/v2"),
  RUNPOD_ENDPOINT_ID: z.string(required).regex(/^[\w-]{1,64}$/),
  RUNPOD_API_KEY: z.string(required).min(1),
  SIGNING_KEYS: signingKeys,
  BOOTSTRAP_API_KEY: apiKey,
  ALLOWED_ORIGINS: origins,
  JWT_SECRET: z.string().min(32, { error: "must have 32 characters or more (RFC 7518, 3.2)" }).optional(),
  JWT_JWKS_URL: othersUrl.optional(),
  JWT_ISSUER: text,
  JWT_AUDIENCE: text,
  JWT_TENANT_CLAIM: z.string().min(1).default("tenant_id"),
  JWT_PROJECTS_CLAIM: z.string().min(1).default("project_ids"),
  JWT_MAX_LIFE_SECONDS: inText(z.int().min(1), anyText).default(31 * 86_400),
  MAX_ACTIVE_JOBS: inText(z.int().min(1), anyText).default(1000),
  MAX_ACTIVE_JOBS_PER_USER: inText(z.int().min(1), anyText).default(100),
  MAX_STORED_BYTES: inText(z.int().min(1), anyText).default(1e12),
  MAX_STORED_BYTES_PER_USER: inText(z.int().min(1), anyText).default(1e11),
  MAX_PENDING_UPLOADS_PER_USER: inText(z.int().min(1), anyText).default(50),
  RETENTION_DAYS: inText(z.int().min(1), anyText).optional(),
  LOG_LEVEL: z.enum(["info", "warn", "error"]).default("info"),
  RATE_LIMIT: z.enum(["on", "off"]).default("on"),
  DOH_URL: othersUrl.default("https://cloudflare-dns.com/dns-query"),
  ALLOW_PRIVATE_TARGETS: z.enum(["on", "off"]).default("off"),
  R2_S3_ENDPOINT: othersUrl.transform(withoutSlash).optional(),
  R2_BUCKET: z.string().min(1).default("reel-ballers-videos"),
  R2_ACCESS_KEY_ID: text,
  R2_SECRET_ACCESS_KEY: text,
  MAX_RETRIES: inText(z.int().min(0).max(10), anyText).default(3),
  RUN_TIMEOUT_MS: ms(15_000),
  RUN_GRACE_MS: ms(60_000),
  STATUS_TIMEOUT_MS: ms(5_000),
  POLL_MIN_MS: ms(5_000),
  POLL_MAX_MS: ms(60_000),
  EXECUTION_TIMEOUT_MS: ms(600_000, 5_000),
  QUEUE_TIMEOUT_MS: ms(1_800_000),
  PROVIDER_PATIENCE_MS: ms(86_400_000),
  OUTPUT_WINDOW_MS: ms(30_000),
  RETRY_BACKOFF_MS: ms(5_000),
  PROGRESS_FLUSH_MS: ms(5_000),
  SWEEP_AFTER_MS: ms(180_000),
  GPU_PRICE_PER_SECOND: inText(z.number().min(0), anyText).optional(),
});

type Values = z.infer<typeof SettingsSchema>;

/** How browser users' JWTs are checked: by a shared secret, by a published key set, or either. */
export type JwtTrust = Readonly<{
  secret: string | null;
  jwksUrl: string | null;
  issuer: string;
  audience: string;
  /** Under which names a token has them: some logins sign only such as bear the owner's. */
  tenantClaim: string;
  projectsClaim: string;
  maxLifeSeconds: number;
}>;

/** Where outgoing webhooks may go, and who says where a name leads (DNS over HTTPS, as JSON). */
export type WebhookSettings = Readonly<{ dohUrl: string; allowPrivateTargets: boolean; ownHosts: readonly string[] }>;

/** The Worker's settings, parsed. */
export type Settings = Readonly<{
  /** Every link is built from this, never from a request's Host. No slash at its end. */
  publicBaseUrl: string;
  runpod: RunpodAccess;
  endpointId: string;
  signingKeys: SigningKeys;
  /** Null once it is out of use. */
  bootstrapKey: ApiKey | null;
  /** Web origins that may call from a browser; the service's own is always among them. */
  allowedOrigins: ReadonlySet<string>;
  /** Null when no JWT is accepted. */
  jwt: JwtTrust | null;
  /** Null when signed URLs are the Worker's own. */
  s3: S3Access | null;
  maxRetries: number;
  /** Jobs of a tenant that are not over. */
  maxActiveJobs: number;
  /** Those of one user. */
  maxActiveJobsOfUser: number;
  uploadQuota: UploadQuota;
  /** Finished jobs are removed after so many days; null to keep them. */
  retentionDays: number | null;
  isRateLimited: boolean;
  webhooks: WebhookSettings;
  /** A job that D1 has not heard of for so long is woken by the sweep. Milliseconds. */
  sweepAfterMs: number;
  /** For the cost in usage reports; in whatever currency the operator thinks. */
  gpuPricePerSecond: number | null;
  timers: Timers;
}>;

const parsed = new WeakMap<object, Settings>();

/** The settings of an environment that have been read before. */
export function findSettings(env: object): Settings | null {
  return parsed.get(env) ?? null;
}

/**
 * The settings of an environment, parsed once per isolate.
 * @throws SettingsError naming every setting that is missing or malformed
 */
export function getSettings(env: object): Settings {
  const known = parsed.get(env);
  if (known) {
    return known;
  }
  const result = SettingsSchema.safeParse(env);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new SettingsError(`Settings: ${faults.join("; ")}`);
  }
  const settings = toSettings(result.data);
  parsed.set(env, settings);
  return settings;
}

/** @throws SettingsError */
function toJwtTrust(values: Values): JwtTrust | null {
  const {
    JWT_SECRET: secret = null,
    JWT_JWKS_URL: jwksUrl = null,
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: audience,
    JWT_TENANT_CLAIM: tenantClaim,
    JWT_PROJECTS_CLAIM: projectsClaim,
    JWT_MAX_LIFE_SECONDS: maxLifeSeconds,
  } = values;
  if (secret === null && jwksUrl === null) {
    return null;
  }
  if (issuer === undefined || audience === undefined) {
    throw new SettingsError("Settings: JWT_ISSUER and JWT_AUDIENCE are needed with JWT_SECRET or JWT_JWKS_URL");
  }
  return { secret, jwksUrl, issuer, audience, tenantClaim, projectsClaim, maxLifeSeconds };
}

/** @throws SettingsError */
function toS3Access(values: Values): S3Access | null {
  const { R2_S3_ENDPOINT: endpoint, R2_ACCESS_KEY_ID: accessKeyId, R2_SECRET_ACCESS_KEY: secretAccessKey } = values;
  const given = [endpoint, accessKeyId, secretAccessKey].filter((value) => value !== undefined);
  if (given.length === 0) {
    return null;
  }
  if (endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined) {
    throw new SettingsError("Settings: R2_S3_ENDPOINT, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY go together");
  }
  return { endpoint, bucket: values.R2_BUCKET, accessKeyId, secretAccessKey };
}

function toTimers(values: Values): Timers {
  return {
    runTimeoutMs: values.RUN_TIMEOUT_MS,
    runGraceMs: values.RUN_GRACE_MS,
    statusTimeoutMs: values.STATUS_TIMEOUT_MS,
    pollMinMs: values.POLL_MIN_MS,
    pollMaxMs: Math.max(values.POLL_MIN_MS, values.POLL_MAX_MS),
    executionTimeoutMs: values.EXECUTION_TIMEOUT_MS,
    queueTimeoutMs: values.QUEUE_TIMEOUT_MS,
    providerPatienceMs: values.PROVIDER_PATIENCE_MS,
    outputWindowMs: values.OUTPUT_WINDOW_MS,
    retryBackoffMs: values.RETRY_BACKOFF_MS,
    progressFlushMs: values.PROGRESS_FLUSH_MS,
  };
}

/** What does on one machine does not where the service is public. @throws SettingsError */
function requireSafe({ PUBLIC_BASE_URL, SIGNING_KEYS, ALLOW_PRIVATE_TARGETS }: Values): void {
  const faults = [
    ...(SIGNING_KEYS.some(({ secret }) => secret.length < 32)
      ? ["SIGNING_KEYS must have 32 characters or more each"]
      : []),
    ...(ALLOW_PRIVATE_TARGETS === "on" ? ["ALLOW_PRIVATE_TARGETS must be off"] : []),
  ];
  if (PUBLIC_BASE_URL.startsWith("https:") && faults.length > 0) {
    throw new SettingsError(`Settings: ${faults.join("; ")}, where PUBLIC_BASE_URL is https`);
  }
}

function toSettings(values: Values): Settings {
  requireSafe(values);
  const timers = toTimers(values);
  const { runTimeoutMs, statusTimeoutMs } = timers;
  return {
    publicBaseUrl: values.PUBLIC_BASE_URL,
    allowedOrigins: values.ALLOWED_ORIGINS.add(new URL(values.PUBLIC_BASE_URL).origin),
    jwt: toJwtTrust(values),
    s3: toS3Access(values),
    maxActiveJobs: values.MAX_ACTIVE_JOBS,
    maxActiveJobsOfUser: values.MAX_ACTIVE_JOBS_PER_USER,
    uploadQuota: {
      maxBytes: values.MAX_STORED_BYTES,
      maxBytesOfUser: values.MAX_STORED_BYTES_PER_USER,
      maxPendingOfUser: values.MAX_PENDING_UPLOADS_PER_USER,
    },
    retentionDays: values.RETENTION_DAYS ?? null,
    webhooks: {
      dohUrl: values.DOH_URL,
      allowPrivateTargets: values.ALLOW_PRIVATE_TARGETS === "on",
      ownHosts: [new URL(values.PUBLIC_BASE_URL).hostname],
    },
    isRateLimited: values.RATE_LIMIT === "on",
    runpod: { baseUrl: values.RUNPOD_BASE_URL, apiKey: values.RUNPOD_API_KEY, runTimeoutMs, statusTimeoutMs },
    endpointId: values.RUNPOD_ENDPOINT_ID,
    signingKeys: values.SIGNING_KEYS,
    bootstrapKey: values.BOOTSTRAP_API_KEY,
    maxRetries: values.MAX_RETRIES,
    sweepAfterMs: values.SWEEP_AFTER_MS,
    gpuPricePerSecond: values.GPU_PRICE_PER_SECOND ?? null,
    timers,
  };
}
