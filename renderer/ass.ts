/**
 * Vector drawings as ASS subtitles, one event per frame. ASS counts time in hundredths of a second, too coarse for most
 * frame rates, so the drawings are made for a stream of 25 frames a second (4 hundredths each) and matched by number.
 */
export const drawingFps = 25;

export type Shape = "ellipse" | "rect";
export type Box = { x: number; y: number; radiusX: number; radiusY: number };

/** One drawing of one frame. Colours are `rrggbb`, `alpha` 0 (opaque) to 255. */
export type Drawing = {
  frame: number;
  layer: number;
  path: string;
  fill: { color: string; alpha: number } | null;
  stroke: { color: string; alpha: number; width: number } | null;
};

/** Coordinates in eighths of a pixel (`\p4`). */
const unitsPerPixel = 8;
/** How far a Bézier's handles reach to make a quarter of a circle. */
const circleHandle = 0.5522847498;

export function toPath(shape: Shape, { x, y, radiusX, radiusY }: Box): string {
  const point = (dx: number, dy: number) =>
    `${Math.round((x + dx * radiusX) * unitsPerPixel)} ${Math.round((y + dy * radiusY) * unitsPerPixel)}`;
  if (shape === "rect") {
    return `m ${point(-1, -1)} l ${point(1, -1)} ${point(1, 1)} ${point(-1, 1)}`;
  }
  const k = circleHandle;
  return [
    `m ${point(0, -1)}`,
    `b ${point(k, -1)} ${point(1, -k)} ${point(1, 0)}`,
    `b ${point(1, k)} ${point(k, 1)} ${point(0, 1)}`,
    `b ${point(-k, 1)} ${point(-1, k)} ${point(-1, 0)}`,
    `b ${point(-1, -k)} ${point(-k, -1)} ${point(0, -1)}`,
  ].join(" ");
}

/** A subtitle file with these drawings, for a picture of this size. */
export function toAssFile(width: number, height: number, drawings: readonly Drawing[]): string {
  return [
    "[Script Info]",
    "ScriptType: v4.00+",
    `PlayResX: ${width}`,
    `PlayResY: ${height}`,
    "ScaledBorderAndShadow: yes",
    "[V4+ Styles]",
    "Format: Name, Fontname, Fontsize, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV",
    "Style: D,Sans,20,1,0,0,7,0,0,0",
    "[Events]",
    "Format: Layer, Start, End, Style, MarginL, MarginR, MarginV, Text",
    ...drawings.map(toEvent),
    "",
  ].join("\n");
}

function toEvent({ frame, layer, path, fill, stroke }: Drawing): string {
  const tags = [
    "\\an7\\pos(0,0)\\p4",
    fill ? `\\1c${toAssColor(fill.color)}\\1a${toHex(fill.alpha)}` : "\\1a&HFF&",
    stroke ? `\\bord${stroke.width}\\3c${toAssColor(stroke.color)}\\3a${toHex(stroke.alpha)}` : "\\bord0",
  ];
  return `Dialogue: ${layer},${toTime(frame)},${toTime(frame + 1)},D,0,0,0,{${tags.join("")}}${path}`;
}

/** ASS writes colours as blue, green, red. */
function toAssColor(rgb: string): string {
  return `&H${rgb.slice(4, 6)}${rgb.slice(2, 4)}${rgb.slice(0, 2)}&`.toUpperCase();
}

function toHex(value: number): string {
  return `&H${Math.round(value).toString(16).padStart(2, "0").toUpperCase()}&`;
}

/** Half a frame early: the frame's own time lies in the middle of its event, whatever way ffmpeg rounds it. */
function toTime(frame: number): string {
  const hundredths = Math.max(0, ((frame - 0.5) * 100) / drawingFps);
  const pad = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const [hours, minutes, seconds] = [hundredths / 360_000, (hundredths / 6000) % 60, (hundredths / 100) % 60];
  return `${Math.floor(hours)}:${pad(minutes)}:${pad(seconds)}.${pad(hundredths % 100)}`;
}
