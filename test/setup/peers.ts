import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { newS3 } from "./s3.ts";

const algorithms = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

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
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
    return;
  }
  const alg = url.searchParams.get("alg") ?? "";
  const pair = Object.entries(algorithms).find(([name]) => name === alg)?.[1] ?? algorithms.RS256;
  const header = { alg, kid: url.searchParams.get("kid") ?? alg };
  const signed = `${encode(header)}.${Buffer.from(body).toString("base64url")}`;
  // HS256 with the published key as its secret: the classic confusion.
  const secret = algorithms.RS256.publicKey.export({ type: "spki", format: "pem" });
  const signature =
    alg === "HS256" ? createHmac("sha256", secret).update(signed).digest() : signWith(alg, pair.privateKey, signed);
  response.end(`${signed}.${signature.toString("base64url")}`);
}

/** Other services that the Worker talks to: an app's login with a key set, and an S3 endpoint. */
export default async function setup(): Promise<() => void> {
  const s3 = newS3();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
      const body = Buffer.concat(chunks);
      if (url.pathname.startsWith("/videos/")) {
        s3(request, url, body, response);
      } else {
        answerLogin(url, body.toString(), response);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(Number(process.env["PEERS_PORT"]), "127.0.0.1", resolve));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
