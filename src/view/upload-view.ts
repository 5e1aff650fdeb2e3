import type { Upload } from "../contract/upload.ts";
import { newSignedUrl } from "../core/signed-url.ts";
import type { Settings } from "../env.ts";
import type { UploadRow } from "../store/schema.ts";
import { countParts } from "../store/upload-files.ts";
import { newPartUrl, newWriteLink } from "./links.ts";

/** An upload as the API shows it. @param parts what R2 has of it, ETags by number */
export async function toUpload(
  row: UploadRow,
  parts: Readonly<Record<string, string>>,
  settings: Settings,
  now: number,
): Promise<Upload> {
  const upload = {
    id: row.id,
    input_video_key: row.objectKey,
    status: row.status,
    project_id: row.projectId,
    user_id: row.uploadedBy,
    filename: row.filename,
    content_type: row.contentType,
    size: row.size,
    method: "PUT",
    headers: {},
    expires_at: row.expiresAt,
  } as const;
  if (row.status === "complete") {
    return upload;
  }
  const { multipartId, partSize } = row;
  if (multipartId === null || partSize === null) {
    const { objectKey: key, contentType, size: maxBytes } = row;
    const until = { now, expiresAt: Date.parse(row.expiresAt) };
    return { ...upload, ...(await newWriteLink(settings, { key, contentType, maxBytes, isExact: true }, until)) };
  }
  return { ...upload, ...(await toParts(row, { multipartId, partSize }, parts, settings, now)) };
}

async function toParts(
  row: UploadRow,
  { multipartId, partSize }: { multipartId: string; partSize: number },
  uploaded: Readonly<Record<string, string>>,
  settings: Settings,
  now: number,
) {
  const { objectKey: key, size } = row;
  const { signingKeys, publicBaseUrl } = settings;
  const expiresAt = Date.parse(row.expiresAt);
  const numbers = Array.from({ length: countParts(row) }, (_, index) => index + 1);
  const toPart = async (number: number) => {
    const bytes = Math.min(partSize, size - (number - 1) * partSize);
    const grant = { key, multipartId, part: number, bytes };
    return { number, url: await newPartUrl(settings, grant, { now, expiresAt }) };
  };
  const [parts, complete_url, abort_url] = await Promise.all([
    Promise.all(numbers.map(toPart)),
    newSignedUrl(signingKeys, publicBaseUrl, { act: "complete", key, expiresAt }),
    newSignedUrl(signingKeys, publicBaseUrl, { act: "abort", key, expiresAt }),
  ]);
  const uploaded_parts = Object.entries(uploaded).map(([number, etag]) => ({ number: Number(number), etag }));
  return { part_size: partSize, parts, uploaded_parts, complete_url, abort_url };
}
