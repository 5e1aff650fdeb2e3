import { readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runFfmpeg } from "../../../../renderer/ffmpeg.ts";
import { type Case, range, type Stretch } from "../case.ts";
import { clips, crop, overlay, region, whole } from "../jobs.ts";
import { type MarkedOptions, makeMarked, squareMiddle, x264 } from "../marked-video.ts";
import type { Rgb } from "../measure.ts";

type Make = Case["make"];

function marked(options: MarkedOptions = {}): Make {
  return (cwd) => makeMarked("input", cwd, { seconds: 2, output: ["-f", "matroska"], ...options });
}

/** The marked video of two seconds, written anew. */
function rewritten(before: string[], ...options: string[]): Make {
  return async (cwd) => {
    await makeMarked("whole.mp4", cwd, { seconds: 2 });
    await runFfmpeg([...before, "-i", "whole.mp4", "-map", "0", "-c", "copy", ...options, "input"], { cwd });
  };
}

const middle = { job: clips([0.7, 1.2]), expect: { numbers: range(21, 35), heard: [[0.7, 1.2]] as Stretch[] } };
const mov = ["-f", "mov"];

const sounds: Case[] = (
  [
    ["MP3, 44.1 kHz", ["-c:a", "libmp3lame", "-ar", "44100", "-ac", "2"], "matroska"],
    ["Opus", ["-c:a", "libopus"], "matroska"],
    ["Vorbis", ["-c:a", "libvorbis", "-ac", "2"], "matroska"],
    ["FLAC, 96 kHz", ["-c:a", "flac", "-ar", "96000"], "matroska"],
    ["ALAC", ["-c:a", "alac"], "mov"],
    ["PCM of 24 bits", ["-c:a", "pcm_s24le"], "mov"],
    ["PCM in floating point", ["-c:a", "pcm_f32le"], "matroska"],
    ["PCM, 11 kHz, of 8 bits", ["-c:a", "pcm_u8", "-ar", "11025"], "matroska"],
    ["AC-3, 5.1", ["-c:a", "ac3", "-ac", "6"], "mpegts"],
    ["MP2", ["-c:a", "mp2", "-ac", "2"], "mpegts"],
    ["AAC, 7.1", ["-c:a", "aac", "-ac", "8"], "mp4"],
  ] as const
).map(([name, audio, format]) => ({
  id: `sound: ${name}`,
  about: "sound kept, in sync",
  make: marked({ audio: [...audio], output: ["-f", format] }),
  ...middle,
}));

const codecs: Case[] = (
  [
    ["VP8", ["-c:v", "libvpx", "-b:v", "3M", "-deadline", "realtime"], "matroska"],
    ["MJPEG of a camera", ["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj422p"], "avi"],
    ["WMV", ["-c:v", "wmv2", "-q:v", "2"], "asf"],
    ["FFV1 4:4:4 of 10 bits", ["-c:v", "ffv1", "-pix_fmt", "yuv444p10le"], "matroska"],
    [
      "HEVC 4:2:2 of 10 bits",
      ["-c:v", "libx265", "-crf", "14", "-pix_fmt", "yuv422p10le", "-x265-params", "log-level=none"],
      "mov",
    ],
    ["DNxHR", ["-c:v", "dnxhd", "-profile:v", "dnxhr_lb"], "mov"],
    ["grey", [...x264, "-pix_fmt", "gray"], "matroska"],
    ["open GOPs", [...x264, "-x264opts", "open-gop=1:keyint=20:bframes=3"], "mp4"],
    ["one key frame, many B-frames", [...x264, "-g", "999", "-bf", "8"], "mp4"],
  ] as [string, string[], string][]
).map(([name, video, format]) => ({
  id: `codec: ${name}`,
  about: "the middle of a video of this kind",
  make: marked({ video, output: ["-f", format], ...(format === "avi" ? { audio: ["-c:a", "pcm_s16le"] } : {}) }),
  ...middle,
}));

const red: Rgb = [224, 32, 32];
const transparent = ["format=rgba", "colorchannelmixer=aa=1"];

const looks: Case[] = [
  {
    id: "look: PNG with alpha",
    about: "a picture with transparency is shown on its own",
    make: marked({ video: ["-c:v", "png"], filters: transparent, output: mov }),
    job: clips([0, 1]),
    expect: { numbers: range(0, 29), colours: [{ ...squareMiddle, rgb: red, within: 6 }] },
  },
  {
    id: "look: palette",
    about: "an animated GIF",
    make: marked({
      fps: "10",
      filters: ["split[a][b];[a]palettegen[p];[b][p]paletteuse"],
      video: [],
      audio: ["-an"],
      output: ["-f", "gif"],
    }),
    job: clips([0, 1]),
    expect: { numbers: range(0, 9), heard: null, colours: [{ ...squareMiddle, rgb: red, within: 8 }] },
  },
  {
    id: "look: PAL",
    about: "720x576, interlaced, pixels of 64:45, told as bt470bg",
    make: marked({
      fps: "25",
      filters: [
        "scale=720:576:in_color_matrix=bt709:out_color_matrix=smpte170m",
        "setsar=64/45",
        "setparams=field_mode=tff:colorspace=bt470bg:color_primaries=bt470bg:color_trc=bt470bg",
      ],
      video: ["-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", "-pix_fmt", "yuv420p"],
      audio: ["-c:a", "mp2"],
      output: ["-f", "mpegts"],
    }),
    job: clips([0.4, 1.2]),
    expect: { size: [1024, 576], numbers: range(10, 29), colours: [{ x: 512, y: 288, rgb: red, within: 10 }] },
  },
  {
    id: "look: turned and wide pixels",
    about: "upright first, then square",
    make: async (cwd) => {
      await makeMarked("lying.mp4", cwd, { seconds: 1, filters: ["transpose=cclock", "scale=360:480", "setsar=3/4"] });
      await runFfmpeg(["-display_rotation", "-90", "-i", "lying.mp4", "-c", "copy", "-f", "mp4", "input"], { cwd });
    },
    job: clips([0, 1]),
    expect: { size: [640, 360], numbers: range(0, 29), probe: ["sample_aspect_ratio=1:1"] },
  },
  {
    id: "look: tagged full range",
    about: "full range by its tag alone",
    make: marked({
      filters: ["scale=out_range=pc", "format=yuv420p", "setparams=range=pc"],
      video: [...x264, "-color_range", "pc"],
    }),
    job: whole(),
    expect: {
      colours: [
        { ...squareMiddle, rgb: red, within: 5 },
        { x: 100, y: 100, rgb: [64, 64, 64], within: 3 },
      ],
    },
  },
  {
    id: "look: bt2020 matrix, SDR",
    about: "only the matrix is of bt2020",
    make: marked({
      filters: ["scale=in_color_matrix=bt709:out_color_matrix=bt2020", "setparams=colorspace=bt2020nc"],
      video: [...x264, "-colorspace", "bt2020nc", "-color_primaries", "bt709", "-color_trc", "bt709"],
    }),
    job: clips([0, 1]),
    expect: { colours: [{ ...squareMiddle, rgb: red, within: 6 }] },
  },
  {
    id: "look: odd sides, turned",
    about: "361x641, turned",
    make: async (cwd) => {
      await makeMarked("lying.mp4", cwd, { seconds: 1, filters: ["pad=641:361", "format=yuv444p"] });
      await runFfmpeg(["-display_rotation", "90", "-i", "lying.mp4", "-c", "copy", "-f", "mp4", "input"], { cwd });
    },
    job: overlay({ highlight_regions: [region()] }),
    expect: { size: [360, 640] },
  },
];

/** Two files behind each other whose pictures differ in size. */
async function makeGrowing(cwd: string): Promise<void> {
  const parts = await Promise.all(
    ["640:360", "320:180"].map(async (size, index) => {
      await makeMarked(`${index}.ts`, cwd, {
        seconds: 1,
        filters: [`scale=${size}`],
        output: ["-f", "mpegts", "-output_ts_offset", `${index + 1}`],
      });
      return readFile(join(cwd, `${index}.ts`));
    }),
  );
  await writeFile(join(cwd, "input"), Buffer.concat(parts));
}

const shapes: Case[] = [
  {
    id: "edit list that cuts",
    about: "an mp4 cut without encoding: what its edit list hides is not shown",
    make: rewritten(["-ss", "0.7"], "-f", "mp4"),
    job: clips([0, 0.5]),
    expect: { numbers: range(21, 35), heard: [[0.7, 1.2]] },
    isQuick: true,
  },
  {
    id: "edit list that cuts, overlay",
    about: "the whole of it",
    make: rewritten(["-ss", "0.7"], "-f", "mp4"),
    job: overlay({ highlight_regions: [region()] }),
    expect: { numbers: range(21, 59), heard: [[0.7, 2]] },
  },
  {
    id: "edit list that cuts, copy",
    about: "a plain copy shows what the input shows",
    make: rewritten(["-ss", "0.7"], "-f", "mp4"),
    job: overlay(),
    expect: { numbers: range(21, 59), heard: [[0.7, 2]] },
  },
  {
    id: "picture changes its size",
    about: "a stream whose second half is smaller: brought to one size",
    make: makeGrowing,
    job: clips([0.5, 1.5]),
    expect: { size: [640, 360], numbers: [...range(15, 29), ...range(0, 14)] },
  },
  {
    id: "two pictures",
    about: "of two video streams the default one is shown",
    make: async (cwd) => {
      await makeMarked("whole.mp4", cwd, { seconds: 2 });
      const other = ["-f", "lavfi", "-i", "color=c=green:s=320x180:r=30:d=2"];
      const maps = ["-map", "1:v", "-map", "0:v", "-map", "0:a", "-c:a", "copy"];
      const marks = ["-disposition:v:0", "0", "-disposition:v:1", "default"];
      await runFfmpeg(["-i", "whole.mp4", ...other, ...maps, ...x264, ...marks, "-f", "matroska", "input"], { cwd });
    },
    ...middle,
  },
  {
    id: "subtitles and attachments",
    about: "other streams stay behind",
    make: async (cwd) => {
      await makeMarked("whole.mp4", cwd, { seconds: 2 });
      await writeFile(join(cwd, "s.srt"), "1\n00:00:00,000 --> 00:00:01,000\nSecret words\n");
      const given = ["-i", "s.srt", "-i", "whole.mp4", "-map", "0", "-map", "1", "-c", "copy", "-attach", "s.srt"];
      await runFfmpeg([...given, "-metadata:s:t", "mimetype=text/plain", "-f", "matroska", "input"], { cwd });
    },
    job: clips([0.7, 1.2]),
    expect: { numbers: range(21, 35), absent: /subtitle|attachment|codec_type=data/ },
  },
  {
    id: "two programs",
    about: "a transport stream of two programs",
    make: async (cwd) => {
      await makeMarked("whole.mp4", cwd, { seconds: 2 });
      const programs = ["-program", "st=0:st=1", "-program", "st=2"];
      const other = ["-f", "lavfi", "-i", "color=c=green:s=320x180:r=30:d=2"];
      const maps = [
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-map",
        "1:v",
        "-c:v:0",
        "copy",
        "-c:a",
        "copy",
        "-c:v:1",
        "mpeg2video",
      ];
      await runFfmpeg(["-i", "whole.mp4", ...other, ...maps, ...programs, "-f", "mpegts", "input"], { cwd });
    },
    ...middle,
  },
  {
    id: "one frame",
    about: "a video of one frame",
    make: marked({ seconds: 0.02, audio: ["-an"], output: ["-f", "mp4"] }),
    job: clips([0, 1]),
    expect: { numbers: [0], heard: null },
    isQuick: true,
  },
  {
    id: "tiny",
    about: "16x16",
    make: marked({ seconds: 0.5, filters: ["scale=16:16"], output: ["-f", "mp4"] }),
    job: crop(0, 0, 16, 16, 64),
    expect: { size: [64, 64], probe: ["nb_frames=15"] },
  },
  {
    id: "120 frames a second",
    about: "a camera's slow motion",
    make: marked({ fps: "120", seconds: 1, output: mov }),
    job: clips([0.5, 0.75]),
    expect: { numbers: range(60, 89), probe: ["r_frame_rate=120/1"] },
  },
  {
    id: "a frame every two seconds",
    about: "the frame that is on show is found",
    make: marked({ fps: "0.5", seconds: 6 }),
    job: clips([2.5, 4.5]),
    expect: { numbers: [1], heard: [[2.5, 4.5]] },
  },
  {
    id: "sound begins before the picture",
    about: "nothing shown is black or lost",
    make: rewritten([], "-f", "mpegts", "-muxdelay", "0"),
    job: overlay({ highlight_regions: [region()] }),
    expect: { numbers: range(0, 59), heard: [[0, 2]] },
  },
];

/** The first part of a file of two seconds. */
function cutOff(options: MarkedOptions, share = 0.6): Make {
  return async (cwd) => {
    await makeMarked("input", cwd, { seconds: 2, ...options });
    await truncate(join(cwd, "input"), Math.floor((await stat(join(cwd, "input"))).size * share));
  };
}

const cut: Case[] = (
  [
    ["mkv", { video: [...x264, "-crf", "20"], output: ["-f", "matroska"] }],
    [
      "webm",
      {
        video: ["-c:v", "libvpx", "-b:v", "3M", "-deadline", "realtime"],
        audio: ["-c:a", "libopus"],
        output: ["-f", "webm"],
      },
    ],
    ["ts", { output: ["-f", "mpegts"] }],
    ["flv", { output: ["-f", "flv"] }],
    ["fragments", { output: ["-f", "mp4", "-movflags", "+empty_moov", "-frag_duration", "100000"] }],
    ["avi", { video: ["-c:v", "mpeg4", "-q:v", "2"], audio: ["-c:a", "pcm_s16le"], output: ["-f", "avi"] }],
  ] as [string, MarkedOptions][]
).map(([name, options]) => ({
  id: `cut off: ${name}`,
  about: "what there is of a file is used",
  make: cutOff(options),
  job: clips([0.2, 0.7]),
  expect: { numbers: range(6, 20), heard: [[0.2, 0.7]] },
}));

const times: Case[] = [
  {
    id: "times: last frame",
    about: "a clip of the last frame",
    make: marked(),
    job: clips([1.99, 2]),
    expect: { numbers: [59] },
  },
  {
    id: "times: long decimals",
    about: "as divisions give them",
    make: marked({ fps: "30000/1001" }),
    job: clips([10 / (30_000 / 1001), 0.667_333_333_333_333_4], [0.667_333_333_333_333_4, 1.001]),
    expect: { numbers: range(10, 29) },
  },
  {
    id: "times: overlapping clips",
    about: "frames in both are in the output twice",
    make: marked(),
    job: clips([0.5, 1], [0.75, 1.25]),
    expect: { numbers: [...range(15, 29), ...range(22, 36)] },
  },
  {
    id: "times: regions of an uneven clock",
    about: "a region ends with the frame on show",
    make: marked({ fps: "24000/1001" }),
    job: overlay({
      effect_type: "dark_overlay",
      highlight_regions: [region({ start_time: 0.501, end_time: 1.001, opacity: 1 })],
    }),
    expect: {
      colours: [11, 12, 23, 24].map((frame) => ({
        ...{ x: 500, y: 60, within: 4, frame },
        rgb: frame === 12 || frame === 23 ? [0, 0, 0] : [64, 64, 64],
      })),
    },
  },
  {
    id: "times: 60 from 24000/1001",
    about: "sound stays, frames are spread",
    make: marked({ fps: "24000/1001" }),
    job: whole({ fps: 60 }),
    expect: { heard: [[0, 2]], probe: ["r_frame_rate=60/1"] },
  },
];

export const formatKinds = {
  "sound formats": sounds,
  codecs,
  looks,
  "shapes of files": shapes,
  "cut files": cut,
  "odd times": times,
};
