import { z } from "zod";
import { ObjectKey, ProjectId, Timestamp, UserId } from "./common.ts";

/** The video types that may be uploaded and are served as they are: what browsers call the files of cameras and recorders. */
export const VideoContentType = z.enum([
  "video/mp4",
  "video/x-m4v",
  "video/quicktime",
  "video/webm",
  "video/x-matroska",
  "video/matroska",
  "video/mpeg",
  "video/mp2t",
  "video/vnd.dlna.mpeg-tts",
  "video/3gpp",
  "video/3gpp2",
  "video/ogg",
  "video/x-msvideo",
  "video/msvideo",
  "video/avi",
  "video/x-ms-wmv",
  "video/x-ms-asf",
  "video/x-flv",
  "video/x-f4v",
  "video/dv",
  "video/x-dv",
]);
export type VideoContentType = z.infer<typeof VideoContentType>;

/** What a job may be given besides its video. */
export const AssetContentType = z.enum([
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/gif",
  "image/avif",
  "audio/mpeg",
  "audio/mp4",
  "audio/x-m4a",
  "audio/aac",
  "audio/wav",
  "audio/x-wav",
  "audio/ogg",
  "audio/flac",
  "audio/webm",
  "application/json",
]);

/** What may be uploaded, and is served as it is. */
export const UploadContentType = z.enum([...VideoContentType.options, ...AssetContentType.options]);
export type UploadContentType = z.infer<typeof UploadContentType>;

/** The largest upload by one PUT: a Worker's request body ends at 100 MB on the common plans. */
export const maxSinglePutBytes = 95_000_000;

/** The largest upload: a thousand parts that each pass through a Worker. */
export const maxUploadBytes = 50_000_000_000;

/** `pending` until R2 has the whole file. */
export const UploadStatus = z.enum(["pending", "complete"]).meta({ id: "UploadStatus" });
export type UploadStatus = z.infer<typeof UploadStatus>;

/** The body of `POST /api/uploads`. */
export const CreateUpload = z
  .strictObject({
    filename: z.string().min(1).max(200),
    content_type: UploadContentType,
    size: z.int().min(1).meta({ description: "Bytes, exactly as they will be sent." }),
    project_id: ProjectId,
    user_id: UserId.optional().meta({
      description: "Whose it is: that user may then use it. Of a backend's own none may.",
    }),
  })
  .meta({
    id: "CreateUpload",
    examples: [{ filename: "match.mp4", content_type: "video/mp4", size: 48_000_000, project_id: 7 }],
  });
export type CreateUpload = z.infer<typeof CreateUpload>;

const PartNumber = z.int().min(1).max(10_000);

/** Where and how to send the file: in one PUT to `url`, or, when it is large, in `parts`. */
export const Upload = z
  .strictObject({
    id: z.uuidv7(),
    input_video_key: ObjectKey,
    status: UploadStatus,
    project_id: ProjectId,
    user_id: UserId.nullable(),
    filename: z.string(),
    content_type: UploadContentType,
    size: z.int(),
    method: z.literal("PUT"),
    url: z.url().optional().meta({ description: "Signed: needs no credential until it expires." }),
    headers: z.record(z.string(), z.string()).meta({ description: "Send these with each PUT." }),
    part_size: z.int().optional().meta({ description: "Bytes of each part but the last." }),
    parts: z.array(z.strictObject({ number: PartNumber, url: z.url() })).optional(),
    uploaded_parts: z
      .array(z.strictObject({ number: PartNumber, etag: z.string() }))
      .optional()
      .meta({ description: "Those already there: an upload that was interrupted sends the others only." }),
    complete_url: z.url().optional().meta({ description: "POST to it when every part is there." }),
    abort_url: z.url().optional().meta({ description: "DELETE it to give the upload up." }),
    expires_at: Timestamp,
  })
  .meta({ id: "Upload" });
export type Upload = z.infer<typeof Upload>;

/** The answer to a part that was stored. */
export const StoredPart = z.strictObject({ number: PartNumber, etag: z.string() }).meta({ id: "StoredPart" });
export type StoredPart = z.infer<typeof StoredPart>;

/** The answer to a PUT on a signed URL. */
export const StoredObject = z
  .strictObject({ key: ObjectKey, size: z.int(), etag: z.string() })
  .meta({ id: "StoredObject" });
export type StoredObject = z.infer<typeof StoredObject>;

/** The answer to `GET /api/jobs/:id/output?redirect=false`. */
export const OutputLink = z.strictObject({ url: z.url(), expires_at: Timestamp }).meta({ id: "OutputLink" });
export type OutputLink = z.infer<typeof OutputLink>;
