import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ProjectId } from "../src/contract/common.ts";
import { Scope, TenantId } from "../src/contract/scope.ts";
import { newApiKey, toKeyText, toSecretHmac } from "../src/core/api-key.ts";
import { toTimestamp } from "../src/core/time.ts";
import { migrate, stateDir, wrangler } from "./stack.ts";

const help = `Makes, lists and revokes API keys.

  npm run keys -- create --tenant <name> [--name <text>] [--scopes <list>] [--projects <list>] [--expires-in-days <number>]
  npm run keys -- list [--tenant <name>]
  npm run keys -- revoke <key id>

  --tenant <name>              whose key it is: letters, digits, - and _
  --name <text>                what it is for, as the list shows it
  --scopes <list>              of ${Scope.options.join(",")} (all of them)
  --projects <list>            project numbers that the key is held to, parted by commas (every project)
  --expires-in-days <number>   (never)
  --remote                     the deployed database; without it, that of "npm run dev"
  --data <folder>              the data of another local service (.local/dev)
  --json                       for scripts
  --help                       this text

A key is shown once, when it is made: the database keeps only an HMAC of its secret.
`;

const options = {
  tenant: { type: "string" },
  name: { type: "string", default: "" },
  scopes: { type: "string", default: Scope.options.join(",") },
  projects: { type: "string" },
  "expires-in-days": { type: "string" },
  remote: { type: "boolean", default: false },
  data: { type: "string", default: join(".local", "dev") },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

class UsageError extends Error {}

function parse<Schema extends z.ZodType>(schema: Schema, what: string, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new UsageError(`${what}: ${result.error.issues.map(({ message }) => message).join("; ")}`);
  }
  return result.data;
}

const splitList = (text: string) => text.split(",").map((entry) => entry.trim());

/** In digits alone: what JavaScript makes of other text may be another project. */
const Projects = z.array(
  z
    .string()
    .regex(/^\d{1,16}$/, "wants project numbers")
    .transform(Number)
    .pipe(ProjectId),
);

/** A value in SQL: `d1 execute` takes no parameters, so text is quoted here. */
function quote(value: string | null): string {
  return value === null ? "NULL" : `'${value.replaceAll("'", "''")}'`;
}

const Results = z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())) }));

function execute(sql: string, { remote, data }: { remote: boolean; data: string }) {
  const place = remote ? ["--remote"] : ["--local", "--persist-to", stateDir(data)];
  const args = ["d1", "execute", "reel-ballers", ...place, "--json", "--command", sql];
  if (!remote) {
    migrate(data);
  }
  const { status, stdout, stderr } = spawnSync(wrangler, args, { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`The database did not take it:\n${stderr || stdout}`);
  }
  return Results.parse(JSON.parse(stdout.slice(stdout.indexOf("[")))).flatMap(({ results }) => results);
}

type Values = ReturnType<typeof readArguments>["values"];

function readArguments() {
  return parseArgs({ options, allowPositionals: true });
}

async function create(values: Values): Promise<string> {
  const tenantId = parse(TenantId, "--tenant", values.tenant ?? "");
  const scopes = parse(z.array(Scope), "--scopes", splitList(values.scopes));
  const projectIds = values.projects === undefined ? null : parse(Projects, "--projects", splitList(values.projects));
  const days = values["expires-in-days"];
  const lifeMs =
    days === undefined ? null : parse(z.number().positive(), "--expires-in-days", Number(days)) * 86_400_000;
  const key = newApiKey();
  const now = Date.now();
  const row = [
    ...[key.keyId, tenantId, values.name, await toSecretHmac(key), JSON.stringify(scopes)],
    ...[projectIds && JSON.stringify(projectIds), toTimestamp(now), lifeMs === null ? null : toTimestamp(now + lifeMs)],
  ];
  const columns = "id, tenant_id, name, secret_hmac, scopes, project_ids, created_at, expires_at";
  execute(`INSERT INTO api_keys (${columns}) VALUES (${row.map(quote).join(", ")})`, values);
  const text = toKeyText(key);
  const told = { id: key.keyId, key: text, tenant_id: tenantId, scopes, project_ids: projectIds };
  return values.json
    ? JSON.stringify(told)
    : `${text}\n\nShown this once. Tenant ${tenantId}, scopes ${scopes.join(" ")}.`;
}

function list(values: Values): string {
  const where =
    values.tenant === undefined ? "" : ` WHERE tenant_id = ${quote(parse(TenantId, "--tenant", values.tenant))}`;
  const columns = "id, tenant_id, name, scopes, project_ids, created_at, expires_at, revoked_at, last_used_at";
  const rows = execute(`SELECT ${columns} FROM api_keys${where} ORDER BY created_at`, values);
  if (values.json) {
    return JSON.stringify(rows);
  }
  const lines = rows.map((row) => {
    const state = row["revoked_at"] ? `revoked ${row["revoked_at"]}` : `expires ${row["expires_at"] ?? "never"}`;
    const projects = row["project_ids"] ? `projects ${row["project_ids"]}` : "all projects";
    return `${row["id"]}  ${row["tenant_id"]}  ${row["name"] || "-"}  ${row["scopes"]}  ${projects}  ${state}  last used ${row["last_used_at"] ?? "never"}`;
  });
  return lines.length === 0 ? "No keys." : lines.join("\n");
}

function revoke(values: Values, keyId: string | undefined): string {
  const id = parse(z.string().regex(/^[A-Za-z0-9]{1,32}$/, "wants a key's id"), "revoke", keyId ?? "");
  const update = `UPDATE api_keys SET revoked_at = ${quote(toTimestamp(Date.now()))} WHERE id = ${quote(id)} AND revoked_at IS NULL RETURNING id`;
  if (execute(update, values).length === 0) {
    throw new UsageError(`There is no key ${id} that could be revoked.`);
  }
  return values.json ? JSON.stringify({ id, revoked: true }) : `Revoked ${id}.`;
}

async function main(): Promise<string> {
  const { values, positionals } = readArguments();
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    return help;
  }
  switch (command) {
    case "create":
      return create(values);
    case "list":
      return list(values);
    case "revoke":
      return revoke(values, rest[0]);
    default:
      throw new UsageError(`There is no command "${command}".`);
  }
}

try {
  process.stdout.write(`${(await main()).trimEnd()}\n`);
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (isUsage) {
    process.stderr.write('See "npm run keys -- --help".\n');
  }
  process.exit(1);
}
