import { runFfmpeg } from "../../../../renderer/ffmpeg.ts";
import { type Case, range } from "../case.ts";
import { clips, overlay, region, whole } from "../jobs.ts";
import { type MarkedOptions, makeMarked, x264 } from "../marked-video.ts";

const mp4 = ["-f", "mp4"];

function marked(options: MarkedOptions = {}) {
  return (cwd: string) => makeMarked("input", cwd, { output: mp4, ...options });
}

const rates: [name: string, fps: string, value: number][] = [
  ["25", "25", 25],
  ["30", "30", 30],
  ["29.97", "30000/1001", 30_000 / 1001],
  ["23.976", "24000/1001", 24_000 / 1001],
  ["59.94", "60000/1001", 60_000 / 1001],
];

/** Splits at times that are rounded to milliseconds: up and down. */
const splits: Case[] = rates.flatMap(([name, fps, value]): Case[] =>
  [3, 6, 2].map((digits) => {
    const last = Math.floor(value * 3) - 1;
    const cuts = [20, 31, 47].map((frame) => Number((frame / value).toFixed(digits)));
    const [first = 0, second = 0, third = 0] = cuts;
    const frameOf = (time: number) => Math.floor(time * value + (digits === 2 ? 1e-6 : 0.001 * value));
    return {
      id: `49 ${name}, ${digits} digits`,
      about: "clips that adjoin join without a frame lost or doubled",
      make: marked({ fps, seconds: 3 }),
      job: clips([first, second], [second, third], [third, 3]),
      expect: {
        numbers: range(frameOf(first), last),
        heard: [[frameOf(first) / value, (last + 1) / value]],
      },
      isQuick: name === "29.97" && digits === 3,
    };
  }),
);

const exact: Case[] = rates.flatMap(([name, fps, value]): Case[] => [
  {
    id: `47 ${name}`,
    about: "starts exactly on frames",
    make: marked({ fps, seconds: 2 }),
    job: clips([17 / value, 20 / value], [5 / value, 8 / value]),
    expect: { numbers: [17, 18, 19, 5, 6, 7] },
  },
  {
    id: `48 ${name}`,
    about: "framing from frame 31 to 61, in milliseconds",
    make: marked({ fps, seconds: 3 }),
    job: whole({ start_time: Number((31 / value).toFixed(3)), end_time: Number((61 / value).toFixed(3)) }),
    expect: { numbers: range(31, 60) },
    isQuick: name === "59.94",
  },
]);

const converted: Case[] = (
  [
    [1, [15, 45, 75, 105]],
    [10, Array.from({ length: 40 }, (_, frame) => frame * 3 + 1)],
    [60, Array.from({ length: 240 }, (_, frame) => Math.floor(frame / 2))],
    [25, Array.from({ length: 100 }, (_, frame) => Math.floor((frame + 0.5) * 1.2))],
    [12.5, Array.from({ length: 50 }, (_, frame) => Math.floor((frame + 0.5) * 2.4))],
  ] as const
).map(([fps, numbers]) => ({
  id: `50 ${fps}`,
  about: "each frame shows the middle of its time",
  make: marked(),
  job: whole({ fps }),
  expect: { numbers: [...numbers], heard: [[0, 4]] },
  isQuick: fps === 1,
}));

type Halves = { sound?: string[]; picture?: string[]; audio?: string[]; format?: string };

/** A video whose picture and sound are read apart, each with options of its own. */
function withSound({ sound = [], picture = [], audio = ["-c:a", "aac"], format = "mp4" }: Halves) {
  return async (cwd: string) => {
    await makeMarked("whole.mkv", cwd, { audio });
    const inputs = [...picture, "-i", "whole.mkv", ...sound, "-i", "whole.mkv"];
    await runFfmpeg([...inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", format, "input"], { cwd });
  };
}

const sound: Case[] = [
  {
    id: "13",
    about: "sound ends before the clip begins, more clips follow",
    make: withSound({ sound: ["-t", "2"] }),
    job: clips([3, 4], [1, 2]),
    expect: {
      numbers: [...range(90, 119), ...range(30, 59)],
      heard: [
        [3, 4],
        [1, 2],
      ],
      soundOf: [0, 2],
    },
    isQuick: true,
  },
  {
    id: "14",
    about: "framing when the sound ends before end_time",
    make: withSound({ sound: ["-t", "2"] }),
    job: whole({ start_time: 1, end_time: 3 }),
    expect: { numbers: range(30, 89), heard: [[1, 3]], soundOf: [0, 2] },
  },
  {
    id: "15 late sound",
    about: "sound that begins a second late stays where it is",
    make: withSound({ sound: ["-itsoffset", "1"] }),
    job: clips([0.2, 2.2]),
    expect: {
      numbers: range(6, 65),
      other: (file, cwd) => toneIs(file, cwd, 0, 0.8),
    },
    isQuick: true,
  },
  {
    id: "17 late picture",
    about: "picture that begins a second late: its first frame is held",
    make: withSound({ picture: ["-itsoffset", "1"], audio: ["-c:a", "pcm_s16le"], format: "matroska" }),
    job: clips([0, 3]),
    expect: { numbers: [...Array.from({ length: 30 }, () => 0), ...range(0, 59)], heard: [[0, 3]] },
    isQuick: true,
  },
  {
    id: "17 late picture, cut",
    about: "clips before and around the late picture",
    make: withSound({ picture: ["-itsoffset", "1"], audio: ["-c:a", "pcm_s16le"], format: "matroska" }),
    job: clips([0.2, 0.6], [0.8, 1.2]),
    expect: {
      numbers: [...Array.from({ length: 18 }, () => 0), ...range(0, 5)],
      heard: [
        [0.2, 0.6],
        [0.8, 1.2],
      ],
    },
  },
  {
    id: "16",
    about: "sound two seconds longer than the picture, overlay",
    make: withSound({ picture: ["-t", "2"] }),
    job: overlay({ highlight_regions: [region()] }),
    expect: { numbers: range(0, 61), heard: [[0, 4]] },
  },
  {
    id: "18",
    about: "a recorder dropped a second of sound",
    make: async (cwd) => {
      await makeMarked("whole.mkv", cwd);
      const cut = [
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-c:v",
        "copy",
        "-af",
        "aselect='not(between(t,1.05,2.05))'",
        "-c:a",
        "pcm_s16le",
      ];
      await runFfmpeg(["-i", "whole.mkv", ...cut, "-f", "matroska", "input"], { cwd });
    },
    job: clips([0.2, 3.2]),
    expect: {
      numbers: range(6, 95),
      other: (file, cwd) => toneIs(file, cwd, 5, 2.3),
    },
  },
  ...(["annotate", "framing", "overlay"] as const).map(
    (type): Case => ({
      id: `11 ${type}`,
      about: "no sound",
      make: marked({ seconds: 1, audio: ["-an"] }),
      job: type === "annotate" ? clips([0, 1]) : type === "framing" ? whole() : overlay(),
      expect: { numbers: range(0, 29), heard: null },
    }),
  ),
  ...(
    [
      ["mono 8 kHz", ["-c:a", "aac", "-ac", "1", "-ar", "8000"], "mp4", "channels=1"],
      ["5.1", ["-c:a", "aac", "-ac", "6"], "mp4", "channels=6"],
      ["192 kHz PCM", ["-c:a", "pcm_s16le", "-ar", "192000"], "mov", "sample_rate=48000"],
    ] as const
  ).map(
    ([name, audio, format, entry]): Case => ({
      id: `12 ${name}`,
      about: "sound kept, in sync",
      make: marked({ audio: [...audio], output: ["-f", format] }),
      job: clips([0.2, 1.2], [2.2, 3.7]),
      expect: {
        heard: [
          [0.2, 1.2],
          [2.2, 3.7],
        ],
        probe: [entry],
      },
    }),
  ),
  {
    id: "34 default sound",
    about: "of several tracks the default one is heard",
    make: async (cwd) => {
      await makeMarked("whole.mkv", cwd);
      const silent = ["-f", "lavfi", "-i", "anullsrc=d=4"];
      const maps = ["-map", "0:v", "-map", "1:a", "-map", "0:a", "-c:v", "copy", "-c:a", "aac"];
      const marks = ["-disposition:a:0", "0", "-disposition:a:1", "default"];
      await runFfmpeg(["-i", "whole.mkv", ...silent, ...maps, ...marks, "-f", "matroska", "input"], { cwd });
    },
    job: clips([0, 2]),
    expect: { heard: [[0, 2]] },
  },
];

async function toneIs(file: string, cwd: string, wanted: number, seconds: number): Promise<string | null> {
  const { readTones } = await import("../measure.ts");
  const tones = await readTones(file, cwd);
  const found = tones.find(({ tone }) => tone === wanted);
  const isRight = found !== undefined && Math.abs(found.at - seconds) < 0.03;
  return isRight ? null : `tone ${wanted} at ${found?.at ?? "none"} instead of ${seconds}`;
}

/** Frames that stay for uneven times: of 90 numbers every third is left out in the middle second. */
const uneven = "select='not(between(t,1,2)*eq(mod(n,3),1))'";

const variable: Case[] = [
  {
    id: "20 variable rate",
    about: "a variable rate: each frame as long as it is shown",
    make: marked({ seconds: 3, video: [...x264, "-vf", uneven, "-fps_mode", "vfr"] }),
    job: clips([0, 1.5], [1.5, 3]),
    expect: {
      numbers: Array.from({ length: 90 }, (_, frame) =>
        frame >= 30 && frame <= 60 && frame % 3 === 1 ? frame - 1 : frame,
      ),
      heard: [[0, 3]],
    },
    isQuick: true,
  },
  {
    id: "20 variable rate, framing",
    about: "a variable rate, cut in a long frame",
    make: marked({ seconds: 3, video: [...x264, "-vf", uneven, "-fps_mode", "vfr"] }),
    job: whole({ start_time: 1.2, end_time: 2.5 }),
    expect: {
      numbers: Array.from({ length: 39 }, (_, at) => at + 36).map((frame) =>
        frame <= 60 && frame % 3 === 1 ? frame - 1 : frame,
      ),
    },
  },
  {
    id: "20 slide show",
    about: "a recording of one frame a second for a while",
    make: marked({ seconds: 4, video: [...x264, "-vf", "select='lt(t,1)+gte(t,3)+eq(n,45)'", "-fps_mode", "vfr"] }),
    job: clips([0, 4]),
    expect: {
      numbers: [
        ...range(0, 29),
        ...Array.from({ length: 15 }, () => 29),
        ...Array.from({ length: 45 }, () => 45),
        ...range(90, 119),
      ],
    },
  },
  {
    id: "45",
    about: "a clip of a millisecond is a frame",
    make: marked({ seconds: 2 }),
    job: clips([1, 1.001]),
    expect: { numbers: [30] },
    isQuick: true,
  },
  {
    id: "44",
    about: "a clip beyond the end is shortened",
    make: marked({ seconds: 2 }),
    job: clips([1.5, 9]),
    expect: { numbers: range(45, 59), heard: [[1.5, 2]] },
  },
  {
    id: "59",
    about: "200 clips, backwards and forwards",
    make: marked({ seconds: 4, video: [...x264, "-g", "10"] }),
    job: clips(
      ...Array.from({ length: 200 }, (_, index): [number, number] => [(index % 50) / 15, (index % 50) / 15 + 1 / 30]),
    ),
    expect: { numbers: Array.from({ length: 200 }, (_, index) => (index % 50) * 2) },
  },
];

export const timeKinds = {
  "time to the frame": [...splits, ...exact],
  "output rate": converted,
  sound,
  "variable rate and ends": variable,
};
