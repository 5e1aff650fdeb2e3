import type { Colour, PictureDescription, Turn } from "../input/describe.ts";

const turns: Readonly<Record<Turn, readonly string[]>> = {
  none: [],
  clock: ["transpose=clock"],
  cclock: ["transpose=cclock"],
  half: ["hflip", "vflip"],
  clock_flip: ["transpose=clock_flip"],
  cclock_flip: ["transpose=cclock_flip"],
  hflip: ["hflip"],
  vflip: ["vflip"],
};

/** Brightness of white in HDR pictures, in nits (BT.2408): what of them an SDR picture shows as white. */
const whiteNits = 203;

/**
 * The filters that make of a stored picture the one that a player shows: progressive, upright, square pixels of this
 * size, BT.709 in 8 bits.
 */
export function toNormaliser(picture: PictureDescription, width: number, height: number): string[] {
  const { colour, turn, isInterlaced } = picture;
  const size = `scale=${width}:${height}:flags=bicubic+accurate_rnd+full_chroma_int`;
  const deinterlace = isInterlaced ? ["bwdif=mode=send_frame:deint=interlaced"] : [];
  const upright = turns[turn];
  const needsZscale = colour.hdr !== null || colour.isWideGamut;
  if (needsZscale) {
    return [...deinterlace, ...upright, size, ...toSdr(colour), "format=yuv420p", "setsar=1"];
  }
  return [...deinterlace, ...upright, `${size}${toMatrixOptions(colour)}`, "format=yuv420p", "setsar=1"];
}

function toMatrixOptions({ matrix, isFullRange }: Colour): string {
  if (matrix === "rgb") {
    return ":out_color_matrix=bt709:out_range=tv";
  }
  const from = matrix === "bt601" ? "smpte170m" : matrix;
  return `:in_color_matrix=${from}:in_range=${isFullRange ? "pc" : "tv"}:out_color_matrix=bt709:out_range=tv`;
}

function toSdr({ matrix, isFullRange, hdr }: Colour): string[] {
  const transfers = { pq: "smpte2084", hlg: "arib-std-b67" };
  const from = [
    `min=${matrix === "bt601" ? "170m" : matrix === "bt709" ? "709" : matrix === "rgb" ? "gbr" : "2020_ncl"}`,
    `tin=${hdr === null ? "709" : transfers[hdr]}`,
    "pin=2020",
    `rin=${isFullRange ? "full" : "limited"}`,
  ].join(":");
  const linear = `zscale=${from}:t=linear:npl=${whiteNits},format=gbrpf32le,zscale=p=709`;
  const toneMap = hdr === null ? [] : ["tonemap=mobius:desat=0"];
  return [linear, ...toneMap, "zscale=t=709:m=709:r=limited"];
}
