import { runFfmpeg } from "./ffmpeg.ts";

const mostPixels = 640;

/** A frame of a video near its start, as a JPEG of 640 pixels at most on its longer side. */
export async function drawThumbnail(
  video: string,
  picture: string,
  { workDir, signal }: { workDir: string; signal: AbortSignal },
): Promise<void> {
  const most = `min(${mostPixels}\\,iw):min(${mostPixels}\\,ih)`;
  const filters = `thumbnail=24,scale=${most}:force_original_aspect_ratio=decrease,format=yuvj420p`;
  await runFfmpeg(["-i", video, "-frames:v", "1", "-vf", filters, "-q:v", "4", picture], { cwd: workDir, signal });
}
