import { z } from "zod";
import { ObjectKey, ProjectId, Timestamp } from "./common.ts";

/** The video types that may be uploaded and are served as they are. */
export const VideoContentType = z.enum([
  "video/mp4",
  "video/quicktime",
  "video/webm",
  "video/x-matroska",
  "video/mpeg",
  "video/x-msvideo",
]);
export type VideoContentType = z.infer<typeof VideoContentType>;

/** The largest upload by one PUT: a Worker's request body ends at 100 MB on the common plans. */
export const maxSinglePutBytes = 95_000_000;

/** The body of `POST /api/uploads`. */
export const CreateUpload = z
  .strictObject({
    filename: z.string().min(1).max(200),
    content_type: VideoContentType,
    size: z.int().min(1).meta({ description: "Bytes, exactly as they will be sent." }),
    project_id: ProjectId,
  })
  .meta({ id: "CreateUpload" });
export type CreateUpload = z.infer<typeof CreateUpload>;

/** Where and how to PUT the file. */
export const Upload = z
  .strictObject({
    id: z.uuidv7(),
    input_video_key: ObjectKey,
    status: z.enum(["pending"]),
    method: z.literal("PUT"),
    url: z.url().meta({ description: "Signed: needs no credential until it expires." }),
    headers: z.record(z.string(), z.string()).meta({ description: "Send these with the PUT." }),
    expires_at: Timestamp,
  })
  .meta({ id: "Upload" });
export type Upload = z.infer<typeof Upload>;

/** The answer to a PUT on a signed URL. */
export const StoredObject = z
  .strictObject({ key: ObjectKey, size: z.int(), etag: z.string() })
  .meta({ id: "StoredObject" });
export type StoredObject = z.infer<typeof StoredObject>;

/** The answer to `GET /api/jobs/:id/output?redirect=false`. */
export const OutputLink = z.strictObject({ url: z.url(), expires_at: Timestamp }).meta({ id: "OutputLink" });
export type OutputLink = z.infer<typeof OutputLink>;
