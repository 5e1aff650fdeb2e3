import { hmacSha256, sha256Hex, toHex } from "./signing.ts";

/** Credentials for an S3 endpoint; R2's region is always `auto`. */
export type S3Credentials = Readonly<{ accessKeyId: string; secretAccessKey: string; region?: string }>;

type Texts = Readonly<Record<string, string>>;

/** A request to an S3 endpoint: nothing in it is encoded yet, and the names of its headers are in lower case. */
export type S3Request = Readonly<{ method: string; origin: string; path: string; query: Texts; headers: Texts }>;

const algorithm = "AWS4-HMAC-SHA256";

/** Percent-encoding as RFC 3986 has it; `encodeURIComponent` leaves a few signs as they are. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

const inOrder = (texts: Texts) => Object.entries(texts).sort(([name], [other]) => (name < other ? -1 : 1));

const toPath = ({ path }: S3Request) => path.split("/").map(encode).join("/");
const toQuery = ({ query }: S3Request) =>
  inOrder(query)
    .map((pair) => pair.map(encode).join("="))
    .join("&");
const toUrl = (request: S3Request) => `${request.origin}${toPath(request)}?${toQuery(request)}`;

const namesOf = (headers: Texts) => Object.keys(headers).sort().join(";");
const toDatetime = (now: number) => new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, "");
const toScope = ({ region = "auto" }: S3Credentials, datetime: string) => [
  datetime.slice(0, 8),
  region,
  "s3",
  "aws4_request",
];
const withHost = (request: S3Request, more: Texts): S3Request => ({
  ...request,
  headers: { ...request.headers, ...more, host: new URL(request.origin).host },
});

/** AWS Signature Version 4 of all but the body. */
async function toSignature(credentials: S3Credentials, request: S3Request, datetime: string): Promise<string> {
  const { method, headers } = request;
  const lines = inOrder(headers).map(([name, value]) => `${name}:${value}`);
  const canonical = [method, toPath(request), toQuery(request), ...lines, "", namesOf(headers), "UNSIGNED-PAYLOAD"];
  const scope = toScope(credentials, datetime);
  const text = [algorithm, datetime, scope.join("/"), await sha256Hex(canonical.join("\n"))].join("\n");
  let key: BufferSource = new TextEncoder().encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope) {
    key = await hmacSha256(key, part);
  }
  return toHex(await hmacSha256(key, text));
}

/** A URL that carries its own signature for some seconds; who uses it sends exactly the request's headers. */
export async function presignUrl(
  credentials: S3Credentials,
  request: S3Request,
  seconds: number,
  now: number,
): Promise<string> {
  const datetime = toDatetime(now);
  const whole = withHost(request, {});
  const query = {
    ...request.query,
    "X-Amz-Algorithm": algorithm,
    "X-Amz-Credential": [credentials.accessKeyId, ...toScope(credentials, datetime)].join("/"),
    "X-Amz-Date": datetime,
    "X-Amz-Expires": String(seconds),
    "X-Amz-SignedHeaders": namesOf(whole.headers),
  };
  const signature = await toSignature(credentials, { ...whole, query }, datetime);
  return `${toUrl({ ...request, query })}&X-Amz-Signature=${signature}`;
}

/** The request, with its signature in its headers. */
export async function signRequest(credentials: S3Credentials, request: S3Request, body: string | null, now: number) {
  const datetime = toDatetime(now);
  const own = { "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": datetime };
  const whole = withHost(request, own);
  const credential = [credentials.accessKeyId, ...toScope(credentials, datetime)].join("/");
  const signature = await toSignature(credentials, whole, datetime);
  const authorization = `${algorithm} Credential=${credential}, SignedHeaders=${namesOf(whole.headers)}, Signature=${signature}`;
  const headers = { ...request.headers, ...own, authorization };
  return new Request(toUrl(request), { method: request.method, headers, body });
}
