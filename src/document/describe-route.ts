import type { ResponseConfig, RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { Problem, type ProblemCode, problems } from "../contract/problem.ts";
import {
  exchangeOf,
  methodOf,
  type Need,
  needOf,
  pathOf,
  type RouteKey,
  type RouteKind,
  type RouteOf,
  routes,
} from "../core/routes.ts";

type Shown = Readonly<{ content: NonNullable<ResponseConfig["content"]> }>;

/** What the document says of a route beyond what the table of routes knows. */
export type RouteDoc = Readonly<{
  id: string;
  tag: "jobs" | "live" | "uploads" | "documents" | "usage" | "webhooks" | "runpod" | "files" | "operations";
  summary: string;
  description?: string;
  /** Optional headers: no schema could refuse what stands in them. */
  headers?: readonly string[];
  /** A body that the handler reads by itself, or a file. */
  shownBody?: Shown & { required?: boolean };
  /** The usual answer; what the route's handler makes must fit the schema. */
  answer: readonly [description: string, schema?: z.ZodType];
  /** Answers that the handler makes by itself, and what else there is to say of the usual one. */
  answers?: RouteConfig["responses"];
  problems?: readonly ProblemCode[];
}>;

/** The document leaves the pages out. */
export type DescribedKey = Exclude<RouteKey, RouteOf<"page">>;

/** Of some routes; `src/document/routes.ts` has them all. */
export type RouteDocs = Readonly<Partial<Record<DescribedKey, RouteDoc>>>;

const verbs = { GET: "get", POST: "post", PUT: "put", PATCH: "patch", DELETE: "delete" } as const;

/** A route of the OpenAPI document. */
export function describeRoute(key: RouteKey, doc: RouteDoc): RouteConfig {
  const need = needOf(key);
  const { query, body: checked, status = 200 } = exchangeOf(key);
  const parameters = [...headerParameters(doc.headers ?? []), ...pathParameters(key)];
  const body = doc.shownBody ?? (checked && jsonBody(checked));
  const [said, schema] = doc.answer;
  return {
    method: verbs[methodOf(key)],
    path: pathOf(key),
    operationId: doc.id,
    tags: [doc.tag],
    summary: doc.summary,
    description: `${doc.description ?? ""} ${need ? `Scope: ${need.scope}.` : "Public, or opened by its URL."}`.trim(),
    ...(need && { "x-scope": need.scope }),
    security: need ? securityOf(need) : [],
    ...(parameters.length > 0 && { parameters }),
    request: { ...(query && { query }), ...(body && { body }) },
    responses: {
      ...doc.answers,
      ...(status === 101 && overHttp2),
      [status]: { ...(schema ? jsonAnswer(said, schema) : { description: said }), ...doc.answers?.[status] },
      ...problemAnswers(problemsOf(key, doc.problems)),
    },
  };
}

/** Over HTTP/2 a WebSocket opens with 200 (RFC 8441). */
const overHttp2 = { 200: { description: "The same, over HTTP/2." } };

const schemes = { backend: "apiKey", user: "userToken", watcher: "clientToken" } as const;

/** The scheme of a bearer has no list of scopes: the description names the one that is needed. */
function securityOf({ callers }: Need): Record<string, string[]>[] {
  return callers.map((kind) => ({ [schemes[kind]]: [] }));
}

const pathDescriptions: Readonly<Partial<Record<RouteKind, string>>> = {
  job: "The job's id.",
  upload: "The upload's id.",
  attempt: "Names one attempt of one job, signed; `-` when it comes as a bearer.",
};

function pathParameters(key: RouteKey) {
  const description = pathDescriptions[routes[key].of];
  const names = Array.from(pathOf(key).matchAll(/\{(\w+)\}/g), ([, name = ""]) => name);
  return names.map((name) => ({
    name,
    in: "path" as const,
    required: true,
    schema: { type: "string" as const },
    ...(description && { description }),
  }));
}

function headerParameters(names: readonly string[]) {
  return names.map((name) => ({ name, in: "header" as const, required: false, schema: { type: "string" as const } }));
}

/** Bytes, whatever they are. */
export const anyBytes = { content: { "*/*": { schema: z.string().meta({ format: "binary" }) } } } as const;

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } } as const;
}

const bodyProblems = [
  "malformed_request",
  "payload_too_large",
  "unsupported_media_type",
  "validation_failed",
] as const satisfies readonly ProblemCode[];

/** The errors of a route: its own, and those that come with what it reads, names in its path, and needs. */
function problemsOf(key: RouteKey, own: readonly ProblemCode[] = []): readonly ProblemCode[] {
  const { of } = routes[key];
  const { query, body } = exchangeOf(key);
  if (of === "service") {
    return own;
  }
  return [
    ...(body ? bodyProblems : []),
    ...(query ? (["validation_failed"] as const) : []),
    ...(of === "tenant" || of === "file" ? [] : (["not_found"] as const)),
    ...own,
    ...(needOf(key) ? (["unauthenticated", "insufficient_scope"] as const) : []),
    ...(["rate_limited", "internal", "unavailable"] as const),
  ];
}

function problemAnswers(codes: readonly ProblemCode[]) {
  const byStatus = Object.groupBy(codes, (code) => problems[code].status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, group]) => [
      status,
      {
        description: (group ?? []).map((code) => `\`${code}\`: ${problems[code].title}`).join("; "),
        content: { "application/problem+json": { schema: Problem } },
      },
    ]),
  );
}
