import { rename } from "node:fs/promises";
import { join } from "node:path";
import { runFfmpeg } from "../../../../renderer/ffmpeg.ts";
import { type Case, range } from "../case.ts";
import { clips, crop, overlay, region, whole } from "../jobs.ts";
import { makeMarked, squareMiddle, x264 } from "../marked-video.ts";

/** A phone held upright: the stored picture is turned by `stored`, and the file says how to turn it back. */
function makeTurned(stored: string[], options: string[]) {
  return async (cwd: string) => {
    await makeMarked("lying.mp4", cwd, { seconds: 1, filters: stored });
    await runFfmpeg([...options, "-i", "lying.mp4", "-c", "copy", "-f", "mp4", "input"], { cwd });
  };
}

const turned: [name: string, stored: string[], options: string[]][] = [
  ["90", ["transpose=cclock"], ["-display_rotation", "-90"]],
  ["270", ["transpose=clock"], ["-display_rotation", "90"]],
  ["180", ["hflip", "vflip"], ["-display_rotation", "180"]],
  ["mirrored", ["hflip"], ["-display_hflip"]],
  ["mirrored upside down", ["vflip"], ["-display_vflip"]],
  ["90 mirrored", ["transpose=cclock_flip"], ["-display_rotation", "-90", "-display_hflip"]],
];

const orientation = turned.flatMap(([name, stored, options], index): Case[] => {
  const make = makeTurned(stored, options);
  const upright = { size: [640, 360] as [number, number], numbers: range(0, 29) };
  return [
    { id: `1 ${name}`, about: "turned, annotate", make, job: clips([0, 1]), expect: upright, isQuick: index === 0 },
    {
      id: `1 ${name} crop`,
      about: "turned, window on the upright picture",
      make,
      job: crop(270, 130, 100, 100, 400),
      expect: { size: [400, 400], square: { x: 200, y: 200, within: 0.4 } },
    },
    {
      id: `1 ${name} overlay`,
      about: "turned, overlay",
      make,
      job: overlay({ highlight_regions: [region()] }),
      expect: upright,
    },
  ];
});

function makeAspect(stored: string, aspect: string) {
  return (cwd: string) =>
    makeMarked("input", cwd, { seconds: 1, filters: [`scale=${stored}`, `setsar=${aspect}`], output: ["-f", "mp4"] });
}

const aspect: Case[] = [
  {
    id: "4 wide pixels",
    about: "480x360 with pixels of 4:3 is shown as 640x360",
    make: makeAspect("480:360", "4/3"),
    job: clips([0, 1]),
    expect: {
      size: [640, 360],
      numbers: range(0, 29),
      probe: ["sample_aspect_ratio=1:1"],
      square: { ...squareMiddle, within: 0.3 },
    },
    isQuick: true,
  },
  {
    id: "4 tall pixels",
    about: "640x240 with pixels of 2:3 is shown as 640x360",
    make: makeAspect("640:240", "2/3"),
    job: overlay({ highlight_regions: [region()] }),
    expect: { size: [640, 360], numbers: range(0, 29), probe: ["sample_aspect_ratio=1:1"] },
  },
  {
    id: "4 wide pixels crop",
    about: "the window is one of the shown picture",
    make: makeAspect("480:360", "4/3"),
    job: crop(270, 130, 100, 100, 400),
    expect: { square: { x: 200, y: 200, within: 0.6 } },
  },
  {
    id: "4 wide pixels copy",
    about: "a plain copy is made of square pixels",
    make: makeAspect("480:360", "4/3"),
    job: overlay(),
    expect: { size: [640, 360], probe: ["sample_aspect_ratio=1:1"] },
  },
  {
    id: "5",
    about: "odd sides, yuv444p",
    make: (cwd) =>
      makeMarked("input", cwd, { seconds: 1, filters: ["pad=641:361", "format=yuv444p"], output: ["-f", "mp4"] }),
    job: overlay(),
    expect: { size: [640, 360], numbers: range(0, 29), probe: ["pix_fmt=yuv420p"] },
  },
];

const red: [number, number, number] = [224, 32, 32];

function makeColour(filters: string, tags: string[], video = x264) {
  return (cwd: string) =>
    makeMarked("input", cwd, { seconds: 1, filters: [filters], video: [...video, ...tags], output: ["-f", "mp4"] });
}

function tagged(space: string): string[] {
  return ["-colorspace", space, "-color_primaries", space, "-color_trc", space];
}

function makeHdr(transfer: string, luma: number) {
  const graph = `color=c=black:s=320x180:r=30:d=0.5,format=yuv420p10le,geq=lum=${luma}:cb=512:cr=512`;
  const params = `colorprim=bt2020:transfer=${transfer}:colormatrix=bt2020nc:log-level=none`;
  return (cwd: string) =>
    runFfmpeg(["-f", "lavfi", "-i", graph, "-c:v", "libx265", "-x265-params", params, "-f", "mp4", "input"], { cwd });
}

const bt709 = ["color_range=tv", "color_space=bt709", "color_transfer=bt709", "color_primaries=bt709"];

const colour: Case[] = [
  ...(["annotate", "framing", "overlay"] as const).map((type): Case => {
    const job =
      type === "annotate" ? clips([0, 1]) : type === "framing" ? whole() : overlay({ highlight_regions: [region()] });
    return {
      id: `7 bt709 ${type}`,
      about: "the output is tagged as it is made",
      make: makeColour("null", tagged("bt709")),
      job,
      expect: { probe: bt709, colours: [{ x: 320, y: 180, rgb: red, within: 5 }] },
      isQuick: type === "annotate",
    };
  }),
  {
    id: "7 smpte170m",
    about: "SD samples become bt709",
    make: makeColour(
      "scale=in_color_matrix=bt709:out_color_matrix=smpte170m,setparams=colorspace=smpte170m",
      tagged("smpte170m"),
    ),
    job: clips([0, 1]),
    expect: { probe: bt709, colours: [{ x: 320, y: 180, rgb: red, within: 6 }] },
  },
  {
    id: "7 untagged SD",
    about: "what is not told is read as browsers read it",
    make: makeColour(
      "scale=in_color_matrix=bt709:out_color_matrix=smpte170m,setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown",
      [],
    ),
    job: whole(),
    expect: { probe: bt709, colours: [{ x: 320, y: 180, rgb: red, within: 6 }] },
  },
  {
    id: "9",
    about: "full range, and a coloured dark_overlay",
    make: makeColour("scale=out_range=pc,format=yuvj420p", [...tagged("bt709"), "-color_range", "pc"]),
    job: overlay({
      effect_type: "dark_overlay",
      highlight_regions: [
        region({
          color: "#ff8000",
          opacity: 1,
          keyframes: [{ time: 0, x: 320, y: 180, radius_x: 100, radius_y: 100 }],
        }),
      ],
    }),
    expect: {
      probe: bt709,
      colours: [
        { x: 20, y: 20, rgb: [255, 128, 0], within: 4 },
        { x: 320, y: 180, rgb: red, within: 5 },
      ],
    },
    isQuick: true,
  },
  {
    id: "9 full range copy",
    about: "full range, annotate",
    make: makeColour("scale=out_range=pc,format=yuvj420p", [...tagged("bt709"), "-color_range", "pc"]),
    job: clips([0, 1]),
    expect: {
      probe: bt709,
      colours: [
        { x: 320, y: 180, rgb: red, within: 5 },
        { x: 100, y: 100, rgb: [64, 64, 64], within: 3 },
      ],
    },
  },
  ...(["annotate", "framing"] as const).flatMap((type): Case[] =>
    (
      [
        ["smpte2084", 573, "PQ"],
        ["arib-std-b67", 721, "HLG"],
      ] as const
    ).map(([transfer, luma, name]) => ({
      id: `6 ${name} ${type}`,
      about: "HDR grey of 203 nits becomes SDR white's",
      make: makeHdr(transfer, luma),
      job: type === "annotate" ? clips([0, 0.5]) : crop(0, 0, 320, 180, 320),
      expect: { probe: [...bt709, "pix_fmt=yuv420p"], colours: [{ x: 100, y: 100, rgb: [230, 230, 230], within: 26 }] },
      isQuick: name === "HLG" && type === "annotate",
    })),
  ),
  {
    id: "6 bt2020 SDR",
    about: "wide colours without HDR become bt709",
    make: (cwd) =>
      runFfmpeg(
        [
          "-f",
          "lavfi",
          "-i",
          "color=c=gray:s=320x180:r=30:d=0.5,format=yuv420p10le",
          "-c:v",
          "libx265",
          "-x265-params",
          "colorprim=bt2020:transfer=bt2020-10:colormatrix=bt2020nc:log-level=none",
          "-f",
          "mp4",
          "input",
        ],
        { cwd },
      ),
    job: clips([0, 0.5]),
    expect: { probe: bt709, colours: [{ x: 100, y: 100, rgb: [128, 128, 128], within: 5 }] },
  },
  {
    id: "7 rgb",
    about: "a screen recording in RGB",
    make: (cwd) =>
      makeMarked("input", cwd, {
        seconds: 1,
        filters: ["format=gbrp"],
        video: ["-c:v", "libx264rgb", "-crf", "5"],
        output: ["-f", "matroska"],
      }),
    job: overlay(),
    expect: { probe: [...bt709, "pix_fmt=yuv420p"], colours: [{ x: 320, y: 180, rgb: red, within: 6 }] },
  },
];

/** Fields of two moments in one frame: a comb, unless they are parted. */
const interlaced = ["tinterlace=interleave_top", "fieldorder=tff", "setfield=tff"];

const fields: Case[] = (["annotate", "overlay"] as const).map((type) => ({
  id: `10 interlaced ${type}`,
  about: "no comb is left where something moves",
  make: async (cwd) => {
    const bar = "color=c=white:s=40x360:r=50:d=2[s];color=c=black:s=640x360:r=50:d=2[b]";
    const moving = `${bar};[b][s]overlay=x=100+300*t,${interlaced.join(",")}`;
    const video = ["-c:v", "libx264", "-crf", "8", "-flags", "+ilme+ildct", "-x264opts", "tff=1"];
    await runFfmpeg(["-f", "lavfi", "-i", moving, ...video, "-f", "mp4", "input"], { cwd });
  },
  job: type === "annotate" ? clips([0, 1]) : overlay(),
  expect: { probe: ["r_frame_rate=25/1"], other: isWithoutComb },
}));

/** Rows that differ from both rows beside them make a comb. */
async function isWithoutComb(file: string, cwd: string): Promise<string | null> {
  const { readStill } = await import("../measure.ts");
  const still = await readStill(file, cwd, 10, 640, 360);
  let combed = 0;
  for (let y = 101; y < 250; y++) {
    for (let x = 100; x < 400; x++) {
      const [above, here, below] = [still.at(x, y - 1)[1], still.at(x, y)[1], still.at(x, y + 1)[1]];
      combed += Math.abs(here - (above + below) / 2) > 80 ? 1 : 0;
    }
  }
  return combed > 20 ? `${combed} pixels are combed` : null;
}

const streams: Case[] = (["first", "last"] as const).flatMap((place): Case[] =>
  (["annotate", "framing", "overlay"] as const).map((type) => ({
    id: `${place === "first" ? 33 : 32} ${type}`,
    about: `artwork as the ${place} stream`,
    make: async (cwd) => {
      await makeMarked("plain.mp4", cwd, { seconds: 1 });
      await runFfmpeg(["-f", "lavfi", "-i", "color=c=blue:s=300x300", "-frames:v", "1", "cover.jpg"], { cwd });
      const order = place === "first" ? ["-map", "0:v", "-map", "1"] : ["-map", "1", "-map", "0:v"];
      const art = place === "first" ? "-disposition:v:0" : "-disposition:v:1";
      const given = ["-i", "cover.jpg", "-i", "plain.mp4", ...order, "-c", "copy", art, "attached_pic"];
      await runFfmpeg([...given, "-f", "mp4", "input"], { cwd });
    },
    job: type === "annotate" ? clips([0, 1]) : type === "framing" ? whole() : overlay(),
    expect: { size: [640, 360], numbers: range(0, 29), absent: /attached_pic=1/ },
    isQuick: place === "first" && type === "framing",
  })),
);

/** Windows of several sizes with the square in their middle, and one that is off by a fraction. */
const geometry: Case[] = [
  ...(
    [
      [320, 180],
      [160, 90],
      [80, 80],
      [101.5, 77.3],
      [613, 345],
      ...[60, 64.9, 97.1, 128, 200.2, 256, 300.7, 350].map((side) => [side, side] as const),
    ] as const
  ).map(([width, height]): Case => {
    const [x, y] = [squareMiddle.x - width / 2, squareMiddle.y - height / 2];
    const scale = 640 / Math.max(width, height);
    return {
      id: `38 window ${width}x${height}`,
      about: "the window's middle is the output's middle, to a tenth of a pixel of the input",
      make: (cwd) => makeMarked("input", cwd, { seconds: 0.5, video: [...x264, "-crf", "4"], output: ["-f", "mp4"] }),
      job: crop(x, y, width, height, 640),
      expect: { square: { x: 320, y: 320, within: 0.1 * scale } },
      isQuick: width === 80 || width === 320,
    };
  }),
  {
    id: "38 fraction",
    about: "a window between pixels",
    make: (cwd) => makeMarked("input", cwd, { seconds: 0.5, video: [...x264, "-crf", "4"], output: ["-f", "mp4"] }),
    job: crop(squareMiddle.x - 50.3, squareMiddle.y - 50.7, 100, 100, 400),
    expect: { square: { x: 50.3 * 4, y: 50.7 * 4, within: 0.4 } },
  },
  {
    id: "38 turned",
    about: "the cropped picture turned clockwise",
    make: (cwd) => makeMarked("input", cwd, { seconds: 0.5, output: ["-f", "mp4"] }),
    job: crop(squareMiddle.x - 30, squareMiddle.y - 50, 100, 100, 400, { rotation: 90 }),
    expect: { square: { x: 200, y: 120, within: 0.4 } },
  },
  ...(["linear", "smooth"] as const).map(
    (interpolation): Case => ({
      id: `42 ${interpolation}`,
      about: "3,000 keyframes, whose square stays in the middle",
      make: (cwd) => makeMarked("input", cwd, { seconds: 2, output: ["-f", "mp4"] }),
      job: {
        type: "framing",
        params: {
          interpolation,
          output_width: 320,
          output_height: 320,
          crop_keyframes: Array.from({ length: 2000 }, (_, index) => ({
            time: index / 1000,
            x: 240,
            y: 100,
            width: 160,
            height: 160,
          })),
        },
      },
      expect: { size: [320, 320], square: { x: 160, y: 160, within: 0.2, frame: 40 } },
      isQuick: interpolation === "smooth",
    }),
  ),
  {
    id: "40",
    about: "windows past the edge, outside, and of a pixel are clamped",
    make: (cwd) => makeMarked("input", cwd, { seconds: 1, output: ["-f", "mp4"] }),
    job: {
      type: "framing",
      params: {
        output_width: 320,
        output_height: 320,
        crop_keyframes: [
          { time: 0, x: 5000, y: 5000, width: 9000, height: 1 },
          { time: 0.1, x: 600, y: 300, width: 100, height: 100 },
          { time: 0.100000001, x: 10, y: 10, width: 1, height: 1 },
          { time: 9, x: 10, y: 10, width: 1000, height: 1000 },
        ],
      },
    },
    expect: { size: [320, 320], probe: ["nb_frames=30"] },
  },
  ...(
    [
      [4096, 4096],
      [4096, 16],
      [16, 4096],
      [16, 16],
    ] as const
  ).map(
    ([output_width, output_height]): Case => ({
      id: `57 ${output_width}x${output_height}`,
      about: "sizes at the limits",
      make: (cwd) => makeMarked("input", cwd, { seconds: 0.1, output: ["-f", "mp4"] }),
      job: { type: "annotate", params: { clips: [{ start_time: 0, end_time: 1 }], output_width, output_height } },
      expect: { size: [output_width, output_height], probe: ["nb_frames=3"] },
    }),
  ),
];

/** A square that moves along a line, and a window that follows it. */
const following: Case[] = [0, 1].map((start_time) => ({
  id: `39 from ${start_time}`,
  about: "the window follows a target that moves",
  make: async (cwd) => {
    const box =
      "color=c=0x404040:s=640x360:r=30:d=2,format=gbrp[b];color=c=0xe02020:s=40x40:r=30:d=2,format=gbrp[s];[b][s]overlay=x=60+240*t:y=100+60*t:format=gbrp,scale=out_color_matrix=bt709,format=yuv420p";
    await runFfmpeg(["-f", "lavfi", "-i", box, ...x264, "-crf", "4", "-f", "mp4", "made.mp4"], { cwd });
    await rename(join(cwd, "made.mp4"), join(cwd, "input"));
  },
  job: {
    type: "framing",
    params: {
      start_time,
      output_width: 400,
      output_height: 400,
      crop_keyframes: [
        { time: 0, x: 30, y: 70, width: 100, height: 100 },
        { time: 2, x: 510, y: 190, width: 100, height: 100 },
      ],
    },
  },
  expect: { square: { x: 200, y: 200, within: 0.8, frame: 25 } },
}));

export const pictureKinds = {
  orientation,
  "pixel aspect": aspect,
  colour,
  interlacing: fields,
  streams,
  geometry: [...geometry, ...following],
};
