import { box, type Hostile, json, show, type Target } from "./hostile.ts";

export function wrongJobs({ inputKey, jobId }: Target): Hostile[] {
  const valid = { project_id: 7, type: "framing", input_video_key: inputKey, params: { crop_keyframes: [box] } };
  const changes: object[] = [
    ...[-1, 1.5, "7", null, true, [], {}, 2 ** 53, 1e308].map((project_id) => ({ project_id })),
    ...["", "x".repeat(129), 5, {}, ["u"]].map((user_id) => ({ user_id })),
    ...["trim", "FRAMING", "framing ", "", null, 1, "__proto__", "toString", "constructor"].map((type) => ({ type })),
    ...["", "x".repeat(1025), 7, null, {}, []].map((input_video_key) => ({ input_video_key })),
    ...[-1, 11, 0.5, "3", null].map((max_retries) => ({ max_retries })),
    ...[9, 604_801, "60"].map((start_within_seconds) => ({ start_within_seconds })),
    ...[4, -5, 1e21].map((max_run_seconds) => ({ max_run_seconds })),
    ...[
      [],
      "x",
      1,
      { a: {} },
      { a: [] },
      { a: null },
      { "": "x" },
      { ["k".repeat(41)]: "x" },
      { a: "x".repeat(501) },
      // JavaScript has them as another number than was sent.
      ...[2 ** 53, -(2 ** 53), 1e300].map((a) => ({ a })),
    ].map((metadata) => ({ metadata })),
    { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, index])) },
    ...[{}, [], null, "x", { crop_keyframes: [] }, { crop_keyframes: {} }].map((params) => ({ params })),
    ...[
      { ...box, time: -1 },
      { ...box, width: 0 },
      { ...box, width: 1e9 },
      { ...box, x: "0" },
      { ...box, evil: 1 },
    ].map((frame) => ({ params: { crop_keyframes: [frame] } })),
    ...[15, 17, 4098, 1e9, "64", -2].map((output_width) => ({ params: { crop_keyframes: [box], output_width } })),
    ...[0, 121, "30"].map((fps) => ({ params: { crop_keyframes: [box], fps } })),
    { params: { crop_keyframes: [box], rotation: 45 } },
    { params: { crop_keyframes: [box], interpolation: "cubic" } },
    { tenant_id: "rival" },
    { id: jobId },
    { status: "complete" },
    { version: 9 },
    { output_video_key: "output/x" },
    { runpod_job_id: "x" },
  ];
  const creations = changes.map(
    (change): Hostile => ({
      name: `create with ${show(change)}`,
      method: "POST",
      path: "/api/jobs",
      headers: json,
      body: JSON.stringify({ ...valid, ...change }),
      status: 422,
      code: "validation_failed",
    }),
  );
  const amendments = [
    { status: "complete" },
    { acknowledged: "yes" },
    { acknowledged: null },
    { metadata: 1 },
    { metadata: { a: [] } },
    { metadata: { a: 2 ** 53 } },
    { progress: 100 },
    { user_id: "u_2" },
  ];
  const patches = amendments.map(
    (change): Hostile => ({
      name: `amend with ${show(change)}`,
      method: "PATCH",
      path: `/api/jobs/${jobId}`,
      headers: json,
      body: JSON.stringify(change),
      status: 422,
      code: "validation_failed",
    }),
  );
  return [...creations, ...patches];
}

export function foreignInputs({ inputKey, jobId }: Target): Hostile[] {
  const [, , upload = "", file = ""] = inputKey.split("/");
  const keys = [
    "../secret",
    "/etc/passwd",
    "input",
    "input/",
    "input//x/y",
    `input/rival/${upload}/${file}`,
    `input/default/../rival/${upload}/${file}`,
    `input/default/${upload}/../${file}`,
    `input/default/${upload}/${file}/`,
    `input/default/${upload}/${file}/x`,
    `/${inputKey}`,
    `./${inputKey}`,
    `${inputKey} `,
    ` ${inputKey}`,
    inputKey.toUpperCase(),
    `${inputKey}?x`,
    `${inputKey}#x`,
    inputKey.replaceAll("/", "%2f"),
    inputKey.replaceAll("/", "\\"),
    `output/default/${jobId}/1.mp4`,
    "output/default/x/1.mp4",
    "readyz",
    "https://169.254.169.254/latest",
    "input/default/a\nb/c.mp4",
    "input/default/a\r\nX: y/c.mp4",
    "input/*/*/*",
  ];
  return keys.map(
    (input_video_key): Hostile => ({
      name: `input ${show(input_video_key)}`,
      method: "POST",
      path: "/api/jobs",
      headers: json,
      body: JSON.stringify({ project_id: 7, type: "framing", input_video_key, params: { crop_keyframes: [box] } }),
      status: 422,
      code: "input_not_found",
    }),
  );
}

export function wrongUploads(): Hostile[] {
  const valid = { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 };
  const changes: object[] = [
    ...["", "x".repeat(201), 5, null].map((filename) => ({ filename })),
    ...["text/html", "image/svg+xml", "video/mp4; x=y", "VIDEO/MP4", "", "application/octet-stream\r\nX: y", null].map(
      (content_type) => ({ content_type }),
    ),
    ...[0, -1, 1.5, "5", null, 2 ** 60].map((size) => ({ size })),
    { key: "output/x" },
    { id: "x" },
    { tenant_id: "rival" },
  ];
  return changes.map(
    (change): Hostile => ({
      name: `upload with ${show(change)}`,
      method: "POST",
      path: "/api/uploads",
      headers: json,
      body: JSON.stringify({ ...valid, ...change }),
      status: 422,
      code: "validation_failed",
    }),
  );
}
