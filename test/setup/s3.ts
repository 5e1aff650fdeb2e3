import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { s3Credentials } from "./s3-credentials.ts";

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

type Claim = { credential: string; signedHeaders: string; signature: string; datetime: string; payload: string };

function readClaim(request: IncomingMessage, url: URL): Claim | null {
  const header = /Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)/.exec(
    request.headers.authorization ?? "",
  );
  if (header) {
    const [, credential = "", signedHeaders = "", signature = ""] = header;
    const payload = String(request.headers["x-amz-content-sha256"] ?? "");
    return { credential, signedHeaders, signature, datetime: String(request.headers["x-amz-date"]), payload };
  }
  const query = (name: string) => url.searchParams.get(`X-Amz-${name}`) ?? "";
  const expiresAt = Date.parse(query("Date").replace(/(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)/, "$1-$2-$3:$4:$5"));
  if (expiresAt + Number(query("Expires")) * 1000 < Date.now()) {
    return null;
  }
  const [credential, signedHeaders, signature] = [query("Credential"), query("SignedHeaders"), query("Signature")];
  return { credential, signedHeaders, signature, datetime: query("Date"), payload: "UNSIGNED-PAYLOAD" };
}

/** AWS Signature Version 4, worked out anew from its description, for headers and for query parameters. */
function isSigned(request: IncomingMessage, url: URL, body: Buffer): boolean {
  const claim = readClaim(request, url);
  if (!claim || (claim.payload !== "UNSIGNED-PAYLOAD" && claim.payload !== sha256(body))) {
    return false;
  }
  const [key = "", date = "", region = "", service = ""] = claim.credential.split("/");
  const query = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join("&");
  const headers = claim.signedHeaders
    .split(";")
    .map((name) => `${name}:${String(request.headers[name] ?? "").trim()}\n`);
  const path = url.pathname
    .split("/")
    .map((part) => escaped(decodeURIComponent(part)))
    .join("/");
  const canonical = [request.method, path, query, headers.join(""), claim.signedHeaders, claim.payload].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const signingKey = [region, service, "aws4_request"].reduce<Buffer>(
    hmac,
    hmac(`AWS4${s3Credentials.secretAccessKey}`, date),
  );
  const text = ["AWS4-HMAC-SHA256", claim.datetime, scope, sha256(canonical)].join("\n");
  return key === s3Credentials.accessKeyId && hmac(signingKey, text).toString("hex") === claim.signature;
}

type Stored = { body: Buffer; type: string };

/** As much of S3 as R2 has and the service uses: objects, conditional PUT, multipart uploads. Every signature is checked. */
export function newS3() {
  const objects = new Map<string, Stored>();
  const uploads = new Map<string, { type: string; parts: Map<number, Buffer> }>();
  const etag = (body: Buffer) => `"${createHash("md5").update(body).digest("hex")}"`;

  function put(request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void {
    const upload = uploads.get(url.searchParams.get("uploadId") ?? "");
    if (url.searchParams.has("uploadId")) {
      upload?.parts.set(Number(url.searchParams.get("partNumber")), body);
      response.writeHead(upload ? 200 : 404, { etag: etag(body) }).end();
    } else if (request.headers["if-none-match"] === "*" && objects.has(url.pathname)) {
      response.writeHead(412).end("<Error><Code>PreconditionFailed</Code></Error>");
    } else {
      objects.set(url.pathname, { body, type: String(request.headers["content-type"]) });
      response.writeHead(200, { etag: etag(body) }).end();
    }
  }

  function post(request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void {
    if (url.searchParams.has("uploads")) {
      const id = `upload-${uploads.size}&more`;
      uploads.set(id, { type: String(request.headers["content-type"]), parts: new Map() });
      response.end(
        `<InitiateMultipartUploadResult><UploadId>${id.replace("&", "&amp;")}</UploadId></InitiateMultipartUploadResult>`,
      );
      return;
    }
    const upload = uploads.get(url.searchParams.get("uploadId") ?? "");
    const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>("\w+")<\/ETag>/g)];
    const parts = named.map(([, number, tag]) => ({ body: upload?.parts.get(Number(number)), tag }));
    if (!upload || parts.some((part) => !part.body || etag(part.body) !== part.tag)) {
      response.writeHead(upload ? 200 : 404).end("<Error><Code>InvalidPart</Code></Error>");
      return;
    }
    objects.set(url.pathname, { body: Buffer.concat(parts.flatMap((part) => part.body ?? [])), type: upload.type });
    uploads.delete(url.searchParams.get("uploadId") ?? "");
    response.end("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>");
  }

  function get(url: URL, response: ServerResponse): void {
    const upload = uploads.get(url.searchParams.get("uploadId") ?? "");
    if (upload) {
      const parts = [...upload.parts].map(([number, body]) => {
        return `<Part><PartNumber>${number}</PartNumber><ETag>${etag(body).replaceAll('"', "&quot;")}</ETag></Part>`;
      });
      response.end(`<ListPartsResult>${parts.join("")}</ListPartsResult>`);
      return;
    }
    const stored = objects.get(url.pathname);
    const disposition = url.searchParams.get("response-content-disposition") ?? "";
    response.writeHead(stored ? 200 : 404, { "content-type": stored?.type ?? "", "content-disposition": disposition });
    response.end(stored?.body);
  }

  return (request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void => {
    if (!isSigned(request, url, body)) {
      response.writeHead(403).end("<Error><Code>SignatureDoesNotMatch</Code></Error>");
      return;
    }
    switch (request.method) {
      case "PUT":
        put(request, url, body, response);
        return;
      case "POST":
        post(request, url, body, response);
        return;
      case "DELETE":
        response.writeHead(uploads.delete(url.searchParams.get("uploadId") ?? "") ? 204 : 404).end();
        return;
      default:
        get(url, response);
    }
  };
}
