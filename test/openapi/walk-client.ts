import { openAsBlob } from "node:fs";
import { client } from "./client/client.gen.ts";
import { createJob, createUpload, getJob } from "./client/sdk.gen.ts";

/** An export from its upload to its file, by the client that @hey-api/openapi-ts makes of the document. */
const [url = "", token = "", video = ""] = process.argv.slice(2);
const file = await openAsBlob(video);
client.setConfig({ baseUrl: url, auth: token, throwOnError: true });
const body = { filename: "match.mp4", content_type: "video/mp4", size: file.size, project_id: 7 } as const;
const { data: upload } = await createUpload({ body, throwOnError: true });
await fetch(upload.url ?? "", { method: "PUT", body: file, headers: upload.headers });
const { data: made } = await createJob({
  body: {
    project_id: 7,
    type: "annotate",
    input_video_key: upload.input_video_key,
    params: { clips: [{ start_time: 0, end_time: 0.5 }], output_width: 320, output_height: 180 },
  },
  throwOnError: true,
});
let { status, version }: { status: string; version: number } = made;
for (let looks = 0; looks < 100 && (status === "pending" || status === "processing"); looks++) {
  const { data } = await getJob({ path: { id: made.id }, query: { wait: 60, version }, throwOnError: true });
  ({ status, version } = data);
}
console.info(status);
