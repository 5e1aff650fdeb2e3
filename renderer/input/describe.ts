import { InvalidParams, notReadable } from "../invalid-params.ts";
import { type Rate, toNominalRate } from "../rate.ts";
import type { Probed, ProbedStream, Stamp } from "./probe.ts";

/** How the stored picture becomes the one that a player shows. */
export type Turn = "none" | "clock" | "cclock" | "half" | "clock_flip" | "cclock_flip" | "hflip" | "vflip";

export type Colour = {
  /** The matrix by which the samples were made. */
  matrix: "bt709" | "bt601" | "bt2020" | "rgb";
  isFullRange: boolean;
  /** Needs tone mapping. */
  hdr: "pq" | "hlg" | null;
  isWideGamut: boolean;
};

export type PictureDescription = {
  stream: number;
  codec: string;
  profile: string;
  pixelFormat: string;
  /** As shown: upright, with square pixels. */
  width: number;
  height: number;
  hasSquarePixels: boolean;
  turn: Turn;
  isInterlaced: boolean;
  colour: Colour;
  /** When each frame comes on show, in seconds from the start of the video, and when the last one goes. */
  times: readonly number[];
  end: number;
  rate: Rate;
};

export type SoundDescription = {
  stream: number;
  codec: string;
  channels: number;
  sampleRate: number;
  start: number;
  end: number;
};

/** One video as a player shows it. All times are in seconds from its start. */
export type InputDescription = {
  picture: PictureDescription;
  sound: SoundDescription | null;
  /** The file's own clock at the start of the video. */
  origin: number;
  container: string;
  bytes: number;
};

/** The stream whose picture a player shows. @throws InvalidParams when there is none */
export function choosePicture({ streams }: Probed): ProbedStream {
  const pictures = streams.filter(
    ({ codec_type, codec_name, width, disposition = {} }) =>
      codec_type === "video" && codec_name && width && !disposition["attached_pic"] && !disposition["timed_thumbnails"],
  );
  const chosen = pictures.find(({ disposition }) => disposition?.["default"]) ?? pictures[0];
  if (!chosen) {
    throw new InvalidParams(streams.length === 0 ? notReadable : "The input has no picture.");
  }
  return chosen;
}

/** The stream that a player plays. */
export function chooseSound({ streams }: Probed): ProbedStream | null {
  const sounds = streams.filter(
    ({ codec_type, codec_name, channels }) => codec_type === "audio" && codec_name && channels,
  );
  return sounds.find(({ disposition }) => disposition?.["default"]) ?? sounds[0] ?? null;
}

type Probes = {
  probed: Probed;
  picture: ProbedStream;
  pictureStamps: readonly Stamp[];
  sound: ProbedStream | null;
  soundStamps: readonly Stamp[];
};

const untimed = "The input does not say when its pictures are shown: it is a bare stream, not a video file.";

/** Sound begins a moment before the picture in many files, which is no later picture. */
const leadSeconds = 0.1;

/** @throws InvalidParams when nothing can be shown */
export function describe({ probed, picture, pictureStamps, sound, soundStamps }: Probes): InputDescription {
  const stamps = pictureStamps.filter(({ at }) => !Number.isNaN(at)).toSorted((a, b) => a.at - b.at);
  const [first] = stamps;
  const last = stamps.at(-1);
  if (!first || !last || !picture.width || !picture.height) {
    throw new InvalidParams(pictureStamps.length > 0 ? untimed : notReadable);
  }
  const heard = soundStamps.filter(({ at }) => !Number.isNaN(at));
  const soundStart = heard.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  // What lies before the clock's zero only primes a decoder.
  const audible = Math.max(soundStart, Math.min(0, first.at));
  const origin = audible < first.at - leadSeconds ? audible : first.at;
  const times = stamps.map(({ at }) => at - origin);
  const rate = toNominalRate(times, [picture.avg_frame_rate, picture.r_frame_rate]);
  const seconds = last.seconds > 0 && last.seconds < 10 ? last.seconds : rate.den / rate.num;
  return {
    picture: {
      ...toShownSize(picture, picture.width, picture.height),
      stream: picture.index,
      codec: picture.codec_name ?? "",
      profile: picture.profile ?? "",
      pixelFormat: picture.pix_fmt ?? "",
      isInterlaced: /^(tt|bb|tb|bt)$/.test(picture.field_order ?? ""),
      colour: toColour(picture, picture.height),
      times,
      end: last.at - origin + seconds,
      rate,
    },
    sound: sound && heard.length > 0 ? toSound(sound, heard, soundStart, origin) : null,
    origin,
    container: probed.format?.format_name ?? "",
    bytes: probed.format?.size ?? 0,
  };
}

function toSound(sound: ProbedStream, heard: readonly Stamp[], start: number, origin: number): SoundDescription {
  const end = heard.reduce((latest, { at, seconds }) => Math.max(latest, at + seconds), start);
  return {
    stream: sound.index,
    codec: `${sound.codec_name ?? ""} ${sound.profile ?? ""}`.trim(),
    channels: sound.channels ?? 2,
    sampleRate: sound.sample_rate ?? 48_000,
    start: start - origin,
    end: end - origin,
  };
}

/** Pixels that are not square widen or heighten the picture, as browsers do: no pixel is lost. */
function toShownSize(stream: ProbedStream, width: number, height: number) {
  const [across = 1, down = 1] = (stream.sample_aspect_ratio ?? "").split(":").map(Number);
  const aspect = across > 0 && down > 0 ? across / down : 1;
  const wide = aspect > 1 ? Math.round(width * aspect) : width;
  const high = aspect < 1 ? Math.round(height / aspect) : height;
  const turn = toTurn(stream);
  const isLying = turn.includes("clock");
  return {
    turn,
    width: isLying ? high : wide,
    height: isLying ? wide : high,
    hasSquarePixels: wide === width && high === height,
  };
}

/** From the display matrix, whose first four numbers turn and mirror; angles between are taken for the nearest. */
function toTurn({ side_data_list: sides = [] }: ProbedStream): Turn {
  const matrix = sides.find(({ displaymatrix }) => displaymatrix !== undefined)?.displaymatrix ?? "";
  const rows = [...matrix.matchAll(/^\s*\d+:\s*(-?\d+)\s+(-?\d+)\s+-?\d+\s*$/gm)];
  const [a = 1, b = 0] = rows[0]?.slice(1).map(Number) ?? [];
  const [c = 0, d = 1] = rows[1]?.slice(1).map(Number) ?? [];
  const isMirrored = a * d - b * c < 0;
  if (Math.abs(b) > Math.abs(a)) {
    if (isMirrored) {
      return b > 0 ? "cclock_flip" : "clock_flip";
    }
    return b > 0 ? "clock" : "cclock";
  }
  if (isMirrored) {
    return a < 0 ? "hflip" : "vflip";
  }
  return a < 0 ? "half" : "none";
}

/** What is not told is guessed as browsers guess. */
function toColour(stream: ProbedStream, height: number): Colour {
  const { color_space: space = "", color_transfer: transfer = "", color_primaries: primaries = "" } = stream;
  const format = stream.pix_fmt ?? "";
  const hdr = transfer === "smpte2084" ? "pq" : transfer === "arib-std-b67" ? "hlg" : null;
  return {
    matrix: toMatrix(space, format, height, hdr !== null),
    isFullRange: stream.color_range === "pc" || format.startsWith("yuvj"),
    hdr,
    isWideGamut: primaries === "bt2020" && hdr === null,
  };
}

const hdHeight = 720;

function toMatrix(space: string, format: string, height: number, isHdr: boolean): Colour["matrix"] {
  if (space === "gbr" || /^(rgb|bgr|gbr|0rgb|argb|abgr|pal8)/.test(format)) {
    return "rgb";
  }
  if (space.startsWith("bt2020")) {
    return "bt2020";
  }
  if (/^(smpte170m|bt470bg|fcc|smpte240m)$/.test(space)) {
    return "bt601";
  }
  if (space === "bt709") {
    return "bt709";
  }
  return isHdr ? "bt2020" : height >= hdHeight ? "bt709" : "bt601";
}
