import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { newS3 } from "./s3.ts";

const algorithms = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

/** The one that the login signed by before: still published, first of all. */
const formerKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

function signWith(alg: string, key: KeyObject, text: string): Buffer {
  switch (alg) {
    case "RS256":
      return createSign("sha256").update(text).sign(key);
    case "ES256":
      return createSign("sha256").update(text).sign({ key, dsaEncoding: "ieee-p1363" });
    default:
      return signBytes(null, Buffer.from(text), key);
  }
}

/** A login of the app: publishes its keys, and signs the claims that a test asks for. */
function answerLogin(url: URL, body: string, response: ServerResponse): void {
  if (url.pathname === "/jwks.json") {
    const keys = Object.entries(algorithms).map(([alg, { publicKey }]) => {
      return { ...publicKey.export({ format: "jwk" }), kid: alg, alg, use: "sig" };
    });
    const former = { ...formerKey.export({ format: "jwk" }), kid: "former", alg: "RS256", use: "sig" };
    const torn = { kty: "RSA", n: "AA", e: "AQAB", kid: "torn", alg: "RS256", use: "sig" };
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [former, ...keys, torn] }));
    return;
  }
  if (url.pathname === "/broken-off.json") {
    response.end('{"keys": [');
    return;
  }
  if (url.pathname === "/no-keys.json") {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ error: "maintenance" }));
    return;
  }
  const alg = url.searchParams.get("alg") ?? "";
  const pair = Object.entries(algorithms).find(([name]) => name === alg)?.[1] ?? algorithms.RS256;
  const kid = url.searchParams.get("kid") ?? alg;
  const header = kid === "" ? { alg } : { alg, kid };
  const signed = `${encode(header)}.${Buffer.from(body).toString("base64url")}`;
  // HS256 with the published key as its secret: the classic confusion.
  const secret = algorithms.RS256.publicKey.export({ type: "spki", format: "pem" });
  const signature =
    alg === "HS256" ? createHmac("sha256", secret).update(signed).digest() : signWith(alg, pair.privateKey, signed);
  response.end(`${signed}.${signature.toString("base64url")}`);
}

const slowMs = 500;

type Hook = { headers: IncomingHttpHeaders; body: string };

/** A receiver of webhooks: keeps what comes to each path, and answers as the path's first word says. */
function newReceiver() {
  const received = new Map<string, Hook[]>();
  return (request: IncomingMessage, url: URL, body: string, response: ServerResponse): void => {
    const hooks = received.get(url.pathname) ?? [];
    if (request.method === "GET") {
      response.end(JSON.stringify(hooks));
      return;
    }
    received.set(url.pathname, [...hooks, { headers: request.headers, body }]);
    const [, , answer = ""] = url.pathname.split("/");
    if (answer === "silent") {
      return;
    }
    if (answer === "slow") {
      setTimeout(() => response.writeHead(200).end(), slowMs);
      return;
    }
    const [status = 200, headers = {}] = answers[answer]?.(hooks.length) ?? [];
    response.writeHead(status, headers).end(body.repeat(20));
  };
}

/** By how many came before. */
const answers: Readonly<Record<string, (before: number) => [number, Record<string, string>?]>> = {
  ok: () => [204],
  gone: () => [410],
  broken: () => [500],
  late: (before) => (before === 0 ? [503, { "retry-after": "3600" }] : [200]),
  moved: () => [307, { location: "/hooks/ok/elsewhere" }],
};

/** Where names lead, as DNS over HTTPS tells it. */
function answerDns(url: URL, response: ServerResponse): void {
  const [name, type] = [url.searchParams.get("name") ?? "", url.searchParams.get("type")];
  const addresses: Record<string, string[]> = {
    "inside.example.org": ["10.0.0.7"],
    "both.example.org": ["93.184.215.14", "127.0.0.1"],
  };
  const data = type === "A" ? (addresses[name] ?? []) : [];
  response.end(JSON.stringify({ Status: 0, Answer: data.map((address) => ({ name, type: 1, data: address })) }));
}

/** Other services that the Worker talks to: an app's login, an S3 endpoint, a receiver of webhooks, a resolver. */
export default async function setup({ name }: { name: string }): Promise<() => void> {
  const s3 = newS3();
  const receive = newReceiver();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
      const body = Buffer.concat(chunks);
      if (url.pathname.startsWith("/videos/")) {
        s3(request, url, body, response);
      } else if (url.pathname.startsWith("/hooks/")) {
        receive(request, url, body.toString(), response);
      } else if (url.pathname === "/dns") {
        answerDns(url, response);
      } else {
        answerLogin(url, body.toString(), response);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(Number(process.env[`PEERS_PORT_${name}`]), "127.0.0.1", resolve));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
