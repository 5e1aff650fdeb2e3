import { newJwt } from "../../setup/callers.ts";
import { type Hostile, json, show, type Target } from "./hostile.ts";

export async function wrongCredentials({ apiKey, clientToken, jobId }: Target): Promise<Hostile[]> {
  const encode = (value: object) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const good = await newJwt({});
  const [header = "", payload = "", signature = ""] = good.split(".");
  const now = Math.floor(Date.now() / 1000);
  const claims = { tenant_id: "default", sub: "u_1", iss: "https://login.test", aud: "exports", exp: now + 300 };
  const tokens: [string, string][] = [
    ["alg none", `${encode({ alg: "none" })}.${payload}.`],
    ["alg None", `${encode({ alg: "None" })}.${payload}.`],
    ["alg nOnE with a signature", `${encode({ alg: "nOnE" })}.${payload}.${signature}`],
    ["alg RS256 over the same secret", `${encode({ alg: "RS256" })}.${payload}.${signature}`],
    ["alg HS512", `${encode({ alg: "HS512" })}.${payload}.${signature}`],
    ["no alg", `${encode({ typ: "JWT" })}.${payload}.${signature}`],
    ["own jwk", `${encode({ alg: "HS256", jwk: { kty: "oct", k: "AA" } })}.${payload}.${signature}`],
    ["unknown crit", `${encode({ alg: "HS256", crit: ["x"], x: 1 })}.${payload}.${signature}`],
    ["other claims", `${header}.${encode({ ...claims, tenant_id: "rival" })}.${signature}`],
    ["no signature", `${header}.${payload}.`],
    ["two parts", `${header}.${payload}`],
    ["four parts", `${good}.x`],
    ["five parts", `${good}.x.y`],
    ["payload no JSON", `${header}.${btoa("x")}.${signature}`],
    ["cut signature", good.slice(0, -4)],
    ["wrong secret", await newJwt({}, "another-secret-of-32-characters--")],
    ["empty secret's", await newJwt({}, "\0".repeat(32))],
    ["expired", await newJwt({ exp: now - 61 })],
    ["not yet", await newJwt({ nbf: now + 120 })],
    ["no exp", await newJwt({ exp: undefined })],
    ["exp a text", await newJwt({ exp: "never" })],
    ["other issuer", await newJwt({ iss: "https://evil.test" })],
    ["no issuer", await newJwt({ iss: undefined })],
    ["other audience", await newJwt({ aud: "billing" })],
    ["no audience", await newJwt({ aud: undefined })],
    ["no subject", await newJwt({ sub: undefined })],
    ["empty subject", await newJwt({ sub: "" })],
    ["no tenant", await newJwt({ tenant_id: undefined })],
    ["tenant a path", await newJwt({ tenant_id: "../rival" })],
    ["tenant with a slash", await newJwt({ tenant_id: "a/b" })],
    ["tenant a number", await newJwt({ tenant_id: 5 })],
    ["projects a text", await newJwt({ project_ids: "7" })],
    ["projects wrong", await newJwt({ project_ids: [-1] })],
    ["subject too long", await newJwt({ sub: "x".repeat(129) })],
  ];
  const secret = apiKey.slice(apiKey.lastIndexOf("_") + 1);
  const keys = [
    `${apiKey}x`,
    apiKey.slice(0, -1),
    apiKey.toUpperCase(),
    "ej__",
    "ej_test_",
    `ej_other_${secret}`,
    `ej_test_${"A".repeat(64)}`,
    "ej_'--_AAAAAAAAAAAAAAAA",
    `EJ_test_${secret}`,
    `ej_test_${"x".repeat(300)}`,
    "ejw_",
    "ejw_a.b.c.d.e",
    `${clientToken}x`,
    clientToken.slice(0, -2),
    clientToken.replace(".default.", ".rival.."),
    clientToken.replace(jobId, "01900000-0000-7000-8000-000000000000"),
    "null",
    "undefined",
    "\x7f",
  ];
  const schemes = [
    `Basic ${btoa(`${apiKey}:`)}`,
    `Token ${apiKey}`,
    apiKey,
    "Bearer",
    "Bearer ",
    `Bearer ${apiKey} x`,
    `Bearer, ${apiKey}`,
    `Digest ${apiKey}`,
  ];
  const at = (name: string, authorization: string): Hostile => ({
    name,
    anonymous: true,
    method: "GET",
    path: "/api/jobs",
    headers: { authorization },
    status: 401,
    code: "unauthenticated",
  });
  const queries = [
    `/api/jobs?token=${clientToken}`,
    `/api/jobs/${jobId}?token=${clientToken}`,
    `/api/jobs/${jobId}/events?token=${apiKey}`,
    `/api/jobs/${jobId}/events?token=${good}`,
    `/api/jobs?api_key=${apiKey}`,
    `/api/jobs?access_token=${apiKey}`,
    `/api/jobs/${jobId}/cancel?token=${clientToken}`,
  ];
  return [
    ...tokens.map(([name, token]) => at(`JWT: ${name}`, `Bearer ${token}`)),
    ...keys.map((key) => at(`key ${show(key)}`, `Bearer ${key}`)),
    ...schemes.map((scheme) => at(`scheme ${show(scheme)}`, scheme)),
    ...queries.map(
      (path): Hostile => ({
        name: `credential in ${path.slice(0, 30)}…`,
        anonymous: true,
        method: path.includes("cancel") ? "POST" : "GET",
        path,
        status: 401,
        code: "unauthenticated",
      }),
    ),
  ];
}

export function wrongTokens({ token, jobId }: Target): Hostile[] {
  const parts = token.split(".");
  const forged = [
    "x",
    ".",
    "....",
    "a.b.c.d.e",
    token.slice(0, -1),
    `${token}A`,
    token.slice(0, 40),
    token.replace(".1.", ".2."),
    token.replace(".1.", ".01."),
    token.replace(".1.", ".-1."),
    token.replace(jobId, "01900000-0000-7000-8000-000000000000"),
    token.toUpperCase(),
    parts.slice(0, 3).join("."),
    [...parts.slice(0, 3), "k9", parts[4]].join("."),
    [...parts.slice(0, 4), ""].join("."),
    `${token}.x`,
    parts.toReversed().join("."),
    "%00",
    "..%2f..",
  ];
  return forged.flatMap((bad): Hostile[] => [
    {
      name: `webhook ${show(bad)}`,
      anonymous: true,
      method: "POST",
      path: `/webhooks/runpod/${bad}`,
      body: "{}",
      status: bad === "." ? 401 : 404,
      code: bad === "." ? "unauthenticated" : "not_found",
    },
    {
      name: `progress ${show(bad)}`,
      anonymous: true,
      method: "POST",
      path: `/webhooks/runpod/${bad}/progress`,
      headers: json,
      body: '{"progress":1}',
      status: 404,
      code: "not_found",
    },
    {
      name: `progress by socket ${show(bad)}`,
      anonymous: true,
      method: "GET",
      path: `/webhooks/runpod/${bad}/progress`,
      headers: { upgrade: "websocket" },
      // The path of "." is another one.
      status: bad === "." ? 405 : 404,
      code: bad === "." ? "method_not_allowed" : "not_found",
    },
  ]);
}
