import { z } from "zod";

/** What a credential may do. `ops` is for operators: endpoints of outgoing webhooks and the service's own state. */
export const Scope = z
  .enum(["jobs:read", "jobs:write", "uploads:write", "usage:read", "ops"])
  .meta({ id: "Scope", description: "What a credential may do." });
export type Scope = z.infer<typeof Scope>;

/** A tenant's name: part of object keys and tokens, so it holds nothing that would part them. */
export const TenantId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
  error: "letters, digits, - and _, at most 64",
});
