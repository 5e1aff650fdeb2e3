import { open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runFfmpeg } from "../../../../renderer/ffmpeg.ts";
import { type Case, range } from "../case.ts";
import { clips, overlay, region, whole } from "../jobs.ts";
import { type MarkedOptions, makeMarked, x264 } from "../marked-video.ts";

/** The marked video, written anew by ffmpeg's options. */
function rewritten(...options: string[]) {
  return async (cwd: string) => {
    await makeMarked("whole.mp4", cwd);
    await runFfmpeg(["-i", "whole.mp4", "-map", "0", "-c", "copy", ...options, "input"], { cwd });
  };
}

function encoded(options: MarkedOptions) {
  return (cwd: string) => makeMarked("input", cwd, options);
}

const middle = { job: clips([1.7, 2.2]), expect: { numbers: range(51, 65) } };

const containers: Case[] = (
  [
    ["23 ts", rewritten("-f", "mpegts")],
    ["23 m2ts", rewritten("-f", "mpegts", "-mpegts_m2ts_mode", "1")],
    ["21 mkv from 5 s", rewritten("-f", "matroska", "-output_ts_offset", "5")],
    ["21 no edit list", rewritten("-f", "mp4", "-use_editlist", "0")],
    ["21 flv", rewritten("-f", "flv")],
    ["22 fragments", rewritten("-f", "mp4", "-movflags", "+frag_keyframe+empty_moov")],
    [
      "22 fragments of a tenth of a second",
      rewritten("-f", "mp4", "-movflags", "+empty_moov+default_base_moof", "-frag_duration", "100000"),
    ],
    [
      "26 webm without a duration",
      encoded({
        video: ["-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime"],
        audio: ["-c:a", "libopus"],
        output: ["-f", "webm", "-live", "1"],
      }),
    ],
    [
      "26 vp9",
      encoded({
        video: ["-c:v", "libvpx-vp9", "-b:v", "2M", "-deadline", "realtime"],
        audio: ["-c:a", "libopus"],
        output: ["-f", "webm"],
      }),
    ],
    [
      "29 mpeg program stream",
      encoded({
        video: ["-c:v", "mpeg2video", "-q:v", "2", "-bf", "2"],
        audio: ["-c:a", "mp2"],
        output: ["-f", "vob"],
      }),
    ],
    [
      "29 avi",
      encoded({
        video: ["-c:v", "mpeg4", "-q:v", "2", "-bf", "2"],
        audio: ["-c:a", "libmp3lame"],
        output: ["-f", "avi"],
      }),
    ],
    ["29 3gp", rewritten("-f", "3gp")],
    [
      "29 ogg",
      encoded({ video: ["-c:v", "libtheora", "-q:v", "9"], audio: ["-c:a", "libvorbis"], output: ["-f", "ogg"] }),
    ],
    ["29 av1", encoded({ video: ["-c:v", "libsvtav1", "-preset", "12", "-crf", "20"], output: ["-f", "mp4"] })],
  ] as [string, Case["make"]][]
).map(([id, make]) => ({
  id,
  about: "the middle of a file of this kind",
  make,
  job: middle.job,
  expect: { ...middle.expect, heard: [[1.7, 2.2]] as [number, number][] },
  isQuick: /23 ts|26 webm/.test(id),
}));

const others: Case[] = [
  {
    id: "24",
    about: "a transport stream, framing",
    make: rewritten("-f", "mpegts"),
    job: whole({ start_time: 1.7, end_time: 2.2 }),
    expect: middle.expect,
  },
  {
    id: "23 overlay",
    about: "a transport stream, copied into an mp4",
    make: rewritten("-f", "mpegts"),
    job: overlay(),
    expect: { numbers: range(0, 119), heard: [[0, 4]], probe: ["codec_name=h264"] },
  },
  {
    id: "24 set back",
    about: "two recordings behind each other, the clock begins again",
    make: async (cwd) => {
      await makeMarked("whole.mp4", cwd);
      await runFfmpeg(["-i", "whole.mp4", "-c", "copy", "-f", "mpegts", "-output_ts_offset", "100", "a.ts"], { cwd });
      await runFfmpeg(["-i", "whole.mp4", "-c", "copy", "-f", "mpegts", "b.ts"], { cwd });
      await writeFile(
        join(cwd, "input"),
        Buffer.concat([await readFile(join(cwd, "a.ts")), await readFile(join(cwd, "b.ts"))]),
      );
    },
    job: clips([0, 1], [5, 6]),
    expect: { numbers: [...range(0, 29), ...range(30, 59)] },
  },
  {
    id: "24 cut inside",
    about: "a stream that begins between two key frames",
    make: async (cwd) => {
      await rewritten("-f", "mpegts")(cwd);
      const bytes = await readFile(join(cwd, "input"));
      const from = Math.floor(bytes.length / 3 / 188) * 188;
      await writeFile(join(cwd, "input"), bytes.subarray(from));
    },
    job: overlay({ highlight_regions: [region({ end_time: 0.5 })] }),
    expect: { size: [640, 360], probe: ["codec_name=h264"] },
  },
];

const copies: Case[] = (
  [
    ["28 pcm in mov", encoded({ audio: ["-c:a", "pcm_s16le"], output: ["-f", "mov"] })],
    [
      "28 prores",
      encoded({ seconds: 4, video: ["-c:v", "prores_ks"], audio: ["-c:a", "pcm_s16le"], output: ["-f", "mov"] }),
    ],
    [
      "30 hev1",
      encoded({ video: ["-c:v", "libx265", "-crf", "14", "-x265-params", "log-level=none"], output: ["-f", "mp4"] }),
    ],
    ["30 10 bits", encoded({ video: ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"], output: ["-f", "mp4"] })],
    ["30 yuv444", encoded({ video: ["-c:v", "libx264", "-pix_fmt", "yuv444p"], output: ["-f", "mp4"] })],
    ["30 mpeg4", encoded({ video: ["-c:v", "mpeg4", "-q:v", "2"], output: ["-f", "mp4"] })],
    [
      "30 mpeg2",
      encoded({ video: ["-c:v", "mpeg2video", "-q:v", "2"], audio: ["-c:a", "ac3"], output: ["-f", "mpegts"] }),
    ],
    ["30 h264", encoded({ output: ["-f", "mp4"] })],
  ] as [string, Case["make"]][]
).map(([id, make]) => ({
  id,
  about: "a plain copy plays in every browser",
  make,
  job: overlay(),
  expect: {
    numbers: range(0, 119),
    heard: [[0, 4]],
    probe: ["codec_name=h264", "codec_name=aac", "pix_fmt=yuv420p", "codec_tag_string=avc1"],
  },
  isQuick: id === "28 pcm in mov",
}));

/** What a camera and its owner write into a file. */
const told = [
  "-metadata",
  "title=Secret",
  "-metadata",
  "location=+48.2+16.3/",
  "-metadata",
  "location-eng=+48.2+16.3/",
  "-metadata",
  "creation_time=2020-01-01T00:00:00Z",
  "-metadata:s:v",
  "handler_name=Hidden",
  "-metadata:s:a",
  "title=Hidden",
  "-timecode",
  "01:00:00:00",
];

const tags: Case[] = (["annotate", "overlay"] as const).map((type) => ({
  id: `37 tags ${type}`,
  about: "tags, chapters, places and timecodes stay behind",
  make: async (cwd) => {
    await makeMarked("whole.mp4", cwd);
    await writeFile(
      join(cwd, "chapters.txt"),
      ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Secret chapter\n",
    );
    await runFfmpeg(
      [
        "-i",
        "whole.mp4",
        "-i",
        "chapters.txt",
        "-map",
        "0",
        "-map_chapters",
        "1",
        "-c",
        "copy",
        ...told,
        "-f",
        "mov",
        "input",
      ],
      { cwd },
    );
  },
  job: type === "annotate" ? clips([0, 1]) : overlay(),
  expect: { absent: /Secret|Hidden|48\.2|2020-01|timecode=|codec_type=data|tmcd|\[CHAPTER\]/ },
  isQuick: type === "overlay",
}));

const turnedCopy: Case = {
  id: "3",
  about: "a turned video, copied, keeps its turn",
  make: async (cwd) => {
    await makeMarked("whole.mp4", cwd, { seconds: 1 });
    await runFfmpeg(["-display_rotation", "-90", "-i", "whole.mp4", "-c", "copy", "-f", "mp4", "input"], { cwd });
  },
  job: overlay(),
  expect: { probe: ["rotation=-90"] },
};

const unreadable = /^The input is not a video that can be read\.$/;

const refused: Case[] = [
  {
    id: "27",
    about: "a bare stream of H.264",
    make: encoded({ seconds: 1, audio: ["-an"], output: ["-f", "h264"] }),
    job: clips([0, 1]),
    expect: { refused: /^The input does not say when its pictures are shown/ },
  },
  {
    id: "60",
    about: "text",
    make: (cwd) => writeFile(join(cwd, "input"), "Good day.\n".repeat(200)),
    job: clips([0, 1]),
    expect: { refused: unreadable },
    isQuick: true,
  },
  {
    id: "60 html",
    about: "a page",
    make: (cwd) => writeFile(join(cwd, "input"), "<!doctype html><p>Good day.</p>"),
    job: whole(),
    expect: { refused: unreadable },
  },
  {
    id: "60 noise",
    about: "noise",
    make: (cwd) =>
      writeFile(
        join(cwd, "input"),
        Uint8Array.from({ length: 50_000 }, (_, at) => (at * 7919 + (at >> 3)) & 255),
      ),
    job: overlay(),
    expect: { refused: /^The input (is not a video that can be read|has no picture)\.$/ },
  },
  {
    id: "61",
    about: "an mp4 whose upload broke off",
    make: async (cwd) => {
      await makeMarked("input", cwd, { seconds: 1, output: ["-f", "mp4"] });
      await truncate(join(cwd, "input"), Math.floor((await stat(join(cwd, "input"))).size / 2));
    },
    job: clips([0, 1]),
    expect: { refused: unreadable },
    isQuick: true,
  },
  {
    id: "65 empty",
    about: "an empty file",
    make: (cwd) => writeFile(join(cwd, "input"), ""),
    job: clips([0, 1]),
    expect: { refused: unreadable },
  },
  {
    id: "62 only sound",
    about: "a file without a picture",
    make: (cwd) => runFfmpeg(["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", "-f", "mp4", "input"], { cwd }),
    job: overlay(),
    expect: { refused: /^The input has no picture\.$/ },
    isQuick: true,
  },
  {
    id: "44 late",
    about: "a clip wholly beyond the end says by how much",
    make: encoded({ seconds: 1, output: ["-f", "mp4"] }),
    job: clips([0, 1], [9, 10]),
    expect: { refused: /^clips\[1\] begins at 9 s, 8 s after the end of the video \(1 s\)\.$/ },
  },
  {
    id: "44 late framing",
    about: "a start beyond the end",
    make: encoded({ seconds: 1, output: ["-f", "mp4"] }),
    job: whole({ start_time: 1.5 }),
    expect: { refused: /begins at 1\.5 s, 0\.5 s after the end/ },
  },
];

const damaged: Case[] = [
  {
    id: "64",
    about: "noise in the middle of the file",
    make: async (cwd) => {
      await makeMarked("input", cwd, { output: ["-f", "mp4"], video: [...x264, "-g", "15"] });
      const { size } = await stat(join(cwd, "input"));
      const file = await open(join(cwd, "input"), "r+");
      await file.write(Buffer.alloc(3000, 0xa5), 0, 3000, Math.floor(size / 3));
      await file.close();
    },
    job: overlay({ highlight_regions: [region()] }),
    expect: { size: [640, 360], probe: ["nb_frames=120"] },
  },
  {
    id: "61 cut",
    about: "a file with its index in front, cut off",
    make: async (cwd) => {
      await makeMarked("input", cwd, { output: ["-movflags", "+faststart", "-f", "mp4"], audio: ["-an"] });
      await truncate(join(cwd, "input"), Math.floor((await stat(join(cwd, "input"))).size / 2));
    },
    job: clips([0, 1]),
    expect: { numbers: range(0, 29) },
  },
];

export const fileKinds = {
  containers: [...containers, ...others],
  "plain copies": [...copies, turnedCopy],
  "tags and chapters": tags,
  "not a video": refused,
  damaged,
};
