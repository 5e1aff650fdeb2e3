import { type Hostile, show, type Target } from "./hostile.ts";

export function wrongUrls({ getUrl, putUrl }: Target): Hostile[] {
  const get = new URL(getUrl);
  const put = new URL(putUrl);
  const changed = (url: URL, name: string, value: string | null) => {
    const copy = new URL(url);
    value === null ? copy.searchParams.delete(name) : copy.searchParams.set(name, value);
    return copy.href;
  };
  const refused = (name: string, method: string, path: string): Hostile => ({
    name,
    anonymous: true,
    method,
    path,
    ...(method === "PUT" ? { body: "12345", headers: { "content-type": "video/mp4", "content-length": "5" } } : {}),
    status: 403,
    code: "invalid_signature",
  });
  const gets = [
    changed(get, "expires", "9999999999999"),
    changed(get, "expires", "0"),
    changed(get, "expires", null),
    changed(get, "expires", "x"),
    changed(get, "sig", null),
    changed(get, "sig", ""),
    changed(get, "sig", "k2.AAAA"),
    changed(get, "sig", "none.AAAA"),
    changed(get, "filename", "evil.html"),
    changed(get, "filename", 'a"\r\nSet-Cookie: x=y'),
    changed(get, "filename", null),
    getUrl.replace("/output/", "/input/"),
    getUrl.replace("1.mp4", "2.mp4"),
    getUrl.replace("/files/", "/files/x/"),
    getUrl.replace("/files/", "/files/%00"),
    getUrl.replace("/files/", "/files/%ff"),
  ];
  const puts = [
    changed(put, "max", "9"),
    changed(put, "type", "text/html"),
    changed(put, "part", "1"),
    changed(put, "multipart", "x"),
    changed(put, "expires", "9999999999999"),
    putUrl.replace("/input/", "/output/"),
    putUrl.replace("default", "rival"),
  ];
  return [
    ...gets.map((path, index) => refused(`signed GET, changed (${index})`, "GET", path)),
    ...puts.map((path, index) => refused(`signed PUT, changed (${index})`, "PUT", path)),
    refused("signed GET used to PUT", "PUT", getUrl),
    refused("signed PUT used to GET", "GET", putUrl),
    refused("signed GET used to DELETE", "DELETE", getUrl),
    refused("signed PUT used to POST", "POST", putUrl),
    refused("signed PUT used to DELETE", "DELETE", putUrl),
    {
      name: "PUT too large",
      anonymous: true,
      method: "PUT",
      path: putUrl,
      headers: { "content-type": "video/mp4", "content-length": "6" },
      body: "123456",
      status: 413,
      code: "payload_too_large",
    },
    {
      name: "PUT of another type",
      anonymous: true,
      method: "PUT",
      path: putUrl,
      headers: { "content-type": "text/html", "content-length": "5" },
      body: "12345",
      status: 415,
      code: "unsupported_media_type",
    },
    {
      name: "PUT of no type",
      anonymous: true,
      method: "PUT",
      path: putUrl,
      headers: { "content-type": "", "content-length": "5" },
      body: "12345",
      status: 415,
      code: "unsupported_media_type",
    },
    {
      name: "PUT without a length",
      anonymous: true,
      method: "PUT",
      path: putUrl,
      headers: { "content-type": "video/mp4" },
      body: "",
      status: 400,
      code: "malformed_request",
    },
    ...["x", "-5", "5.5", "1e1"].map(
      (length): Hostile => ({
        name: `PUT with length ${length}`,
        anonymous: true,
        method: "PUT",
        path: putUrl,
        headers: { "content-type": "video/mp4", "content-length": length },
        body: "12345",
        status: length === "1e1" ? 413 : 400,
      }),
    ),
  ];
}

export function ranges({ getUrl }: Target): Hostile[] {
  const get = (range: string, status: number): Hostile => ({
    name: `Range ${show(range)}`,
    anonymous: true,
    method: "GET",
    path: getUrl,
    headers: { range },
    status,
    ...(status === 416 ? { code: "range_not_satisfiable" } : {}),
  });
  return [
    ...["bytes=16-", "bytes=99-100", "bytes=-0", "bytes=99999999999999999999-", "bytes=16-16"].map((range) =>
      get(range, 416),
    ),
    ...["bytes=0-0", "bytes=-1", "bytes=0-999", "bytes=15-", "bytes=0-99999999999999999999", "bytes=-999"].map(
      (range) => get(range, 206),
    ),
    ...[
      "bytes=5-4",
      "bytes=-",
      "bytes=a-b",
      "items=0-1",
      "bytes=0-1,2-3",
      "bytes 0-1",
      "bytes=0x1-2",
      "bytes=--1",
      `bytes=${"0-1,".repeat(500)}0-1`,
    ].map((range) => get(range, 200)),
  ];
}
