import { type Case, range } from "../case.ts";
import { clips, crop, overlay, region } from "../jobs.ts";
import { makeMarked } from "../marked-video.ts";
import { type Rgb, readStill } from "../measure.ts";

const short = (cwd: string) => makeMarked("input", cwd, { seconds: 0.5, output: ["-f", "mp4"] });
const second = (cwd: string) => makeMarked("input", cwd, { seconds: 1, output: ["-f", "mp4"] });
const grey: Rgb = [64, 64, 64];
const left = { keyframes: [{ time: 0, x: 100, y: 100, radius_x: 50, radius_y: 50 }] };
const right = { keyframes: [{ time: 0, x: 540, y: 100, radius_x: 50, radius_y: 50 }] };

const effects: Case[] = [
  {
    id: "51 outline",
    about: "the edge is outside of the region, in its colour",
    make: short,
    job: overlay({ effect_type: "outline", highlight_regions: [region({ color: "#0000ff" })] }),
    expect: {
      colours: [
        { x: 47, y: 100, rgb: [0, 0, 255], within: 25 },
        { x: 100, y: 100, rgb: [64, 64, 64], within: 4 },
        { x: 36, y: 100, rgb: [64, 64, 64], within: 8 },
      ],
    },
  },
  {
    id: "51 ends",
    about: "a region is on from the frame at its start up to that at its end",
    make: second,
    job: overlay({
      effect_type: "dark_overlay",
      highlight_regions: [region({ start_time: 0.333, end_time: 0.667, opacity: 1 })],
    }),
    expect: {
      colours: [9, 10, 19, 20].map((frame) => {
        const isDark = frame === 10 || frame === 19;
        const rgb: [number, number, number] = isDark ? [0, 0, 0] : [64, 64, 64];
        return { x: 500, y: 60, rgb, within: 4, frame };
      }),
    },
    isQuick: true,
  },
  {
    id: "51 radii",
    about: "radius 1 and 16,000, off the frame, two at once",
    make: short,
    job: overlay({
      effect_type: "brightness_boost",
      highlight_regions: [
        region({
          keyframes: [{ time: 0, x: 320, y: 180, radius_x: 16_000, radius_y: 16_000 }],
          shape: "ellipse",
          opacity: 0,
        }),
        region({ keyframes: [{ time: 0, x: 4000, y: 9000, radius_x: 1, radius_y: 1 }] }),
      ],
    }),
    expect: { colours: [{ x: 100, y: 100, rgb: [64, 64, 64], within: 4 }] },
  },
  ...(
    [
      ["outline", { color: "#0000ff", opacity: 0.5 }, [32, 32, 160], [46, 100], [320, 60]],
      ["dark_overlay", { opacity: 0.5 }, [32, 32, 32], [320, 60], [100, 100]],
      ["dark_overlay red", { color: "#ff0000", opacity: 1 }, [255, 0, 0], [320, 60], [100, 100]],
      ["brightness_boost", { opacity: 0.5 }, [94, 94, 94], [100, 100], [320, 60]],
    ] as [string, object, Rgb, [number, number], [number, number]][]
  ).map(
    ([name, params, rgb, [x, y], [plainX, plainY]]): Case => ({
      id: `51 ${name}, its opacity`,
      about: "colour and opacity of a region",
      make: short,
      job: overlay({ effect_type: name.split(" ")[0], highlight_regions: [region(params)] }),
      expect: {
        colours: [
          { x, y, rgb, within: 14 },
          { x: plainX, y: plainY, rgb: grey, within: 4 },
        ],
      },
    }),
  ),
  {
    id: "two regions, outline",
    about: "each in its own colour and opacity",
    make: short,
    job: overlay({
      effect_type: "outline",
      highlight_regions: [region({ ...left, color: "#0000ff" }), region({ ...right, color: "#00ff00", opacity: 0.5 })],
    }),
    expect: {
      colours: [
        { x: 46, y: 100, rgb: [0, 0, 255], within: 25 },
        { x: 593, y: 100, rgb: [32, 160, 32], within: 25 },
      ],
    },
    isQuick: true,
  },
  {
    id: "two regions, brightness_boost",
    about: "each at its own opacity",
    make: short,
    job: overlay({ highlight_regions: [region({ ...left, opacity: 1 }), region({ ...right, opacity: 0.25 })] }),
    expect: {
      colours: [
        { x: 100, y: 100, rgb: [123, 123, 123], within: 5 },
        { x: 540, y: 100, rgb: [79, 79, 79], within: 5 },
        { x: 320, y: 60, rgb: grey, within: 3 },
      ],
    },
  },
  {
    id: "two regions, dark_overlay",
    about: "one after the other in its own colour; together with something of both",
    make: second,
    job: overlay({
      effect_type: "dark_overlay",
      highlight_regions: [
        region({ ...left, color: "#ff0000", opacity: 1, start_time: 0, end_time: 0.6 }),
        region({ ...right, color: "#0000ff", opacity: 1, start_time: 0.3, end_time: 1 }),
      ],
    }),
    expect: {
      colours: [
        { x: 320, y: 60, rgb: [255, 0, 0], within: 6, frame: 5 },
        { x: 320, y: 60, rgb: [128, 0, 128], within: 8, frame: 13 },
        { x: 320, y: 60, rgb: [0, 0, 255], within: 6, frame: 25 },
        { x: 100, y: 100, rgb: grey, within: 4, frame: 13 },
        { x: 540, y: 100, rgb: grey, within: 4, frame: 13 },
        { x: 100, y: 100, rgb: [0, 0, 255], within: 6, frame: 25 },
      ],
    },
  },
  {
    id: "region in part beside the picture",
    about: "what is seen of it is drawn",
    make: short,
    job: overlay({
      highlight_regions: [region({ keyframes: [{ time: 0, x: 640, y: 360, radius_x: 60, radius_y: 60 }] })],
    }),
    expect: {
      colours: [
        { x: 630, y: 350, rgb: [123, 123, 123], within: 5 },
        { x: 560, y: 100, rgb: grey, within: 3 },
      ],
    },
  },
  {
    id: "region moves",
    about: "a region is where its keyframes are at the time of each frame",
    make: second,
    job: overlay({
      highlight_regions: [
        region({
          keyframes: [
            { time: 0, x: 0, y: 100, radius_x: 20, radius_y: 20 },
            { time: 1, x: 600, y: 100, radius_x: 20, radius_y: 20 },
          ],
        }),
      ],
    }),
    expect: {
      colours: [
        { x: 100, y: 100, rgb: [123, 123, 123], within: 5, frame: 5 },
        { x: 125, y: 100, rgb: grey, within: 4, frame: 5 },
        { x: 400, y: 100, rgb: [123, 123, 123], within: 5, frame: 20 },
        { x: 370, y: 100, rgb: grey, within: 4, frame: 20 },
      ],
    },
  },
];

const missed: Case[] = [
  {
    id: "window beside the picture",
    about: "no window touches the picture: by how much",
    make: short,
    job: crop(1000, 100, 200, 200, 320),
    expect: { refused: /^crop_keyframes\[0\] lies 360 pixels to the right of the picture \(640x360\)\.$/ },
    isQuick: true,
  },
  {
    id: "region beside the picture",
    about: "no region touches the picture: by how much",
    make: short,
    job: overlay({
      highlight_regions: [region({ keyframes: [{ time: 0, x: 100, y: 500, radius_x: 40, radius_y: 40 }] })],
    }),
    expect: { refused: /^highlight_regions\[0\] lies 100 pixels below the picture \(640x360\)\.$/ },
  },
  {
    id: "region after the end",
    about: "no region begins in time",
    make: short,
    job: overlay({ highlight_regions: [region({ start_time: 3 }), region({ start_time: 3.5 })] }),
    expect: {
      refused:
        /^highlight_regions\[0\] begins at 3 s, 2\.5 s after the end of the video \(0\.5 s\), and the other one misses it too\.$/,
    },
  },
  {
    id: "one region of two beside the picture",
    about: "what can be seen is drawn",
    make: short,
    job: overlay({
      highlight_regions: [region(), region({ keyframes: [{ time: 0, x: 4000, y: 9000, radius_x: 1, radius_y: 1 }] })],
    }),
    expect: { numbers: range(0, 14), colours: [{ x: 100, y: 100, rgb: [123, 123, 123], within: 5 }] },
  },
];

/** White, coloured and dark pixels where a title is, in the first frame. */
function hasTitle(isColoured: boolean) {
  return async (file: string, cwd: string): Promise<string | null> => {
    const still = await readStill(file, cwd, 0, 640, 360);
    const pixels = Array.from({ length: 368 * 144 }, (_, at) => still.at(32 + (at % 368), 200 + Math.floor(at / 368)));
    const count = (is: (rgb: Rgb) => boolean) => pixels.filter(is).length;
    const ink = count((rgb) => Math.min(...rgb) > 180);
    const coloured = count(([red, , blue]) => red - blue > 90);
    const box = count((rgb) => Math.max(...rgb) < 45);
    const isRight = (isColoured || ink > 40) && box > 400 && coloured > 60 === isColoured;
    return isRight ? null : `${ink} white pixels, ${coloured} coloured ones, ${box} dark ones`;
  };
}

const titles: Case[] = (
  [
    ["54 signs", "100 % 'quoted': [a], \\n {b} %{pts} $(ls)", false],
    ["54 lines", "first\nsecond", false],
    ["54 Hebrew", "שלום עולם", false],
    ["54 Arabic", "مرحبا بالعالم", false],
    ["55 emoji", "Goal 😡🥊❤️", true],
    ["55 Chinese", "进球！守门员", false],
    ["55 Japanese", "決勝ゴール", false],
    ["55 Korean", "결승골", false],
    ["55 long", "A title of many words that is wider than the picture and has to go on in the next line", false],
  ] as const
).map(([id, name, isColoured]) => ({
  id,
  about: "the title is written",
  make: short,
  job: { type: "annotate", params: { clips: [{ start_time: 0, end_time: 0.5, name }], titles: true } },
  expect: { other: hasTitle(isColoured) },
  isQuick: id === "55 emoji",
}));

const clipOptions: Case[] = [
  {
    id: "clips with all options",
    about: "names, notes, ratings and tags; titles are off",
    make: second,
    job: {
      type: "annotate",
      params: { clips: [{ start_time: 0.5, end_time: 1, name: "Goal", notes: "n", rating: 5, tags: ["a", "b"] }] },
    },
    expect: { numbers: range(15, 29), colours: [{ x: 60, y: 330, rgb: [255, 255, 255], within: 12 }] },
  },
  {
    id: "without sound",
    about: "include_audio false",
    make: second,
    job: { type: "annotate", params: { clips: [{ start_time: 0, end_time: 1 }], include_audio: false } },
    expect: { numbers: range(0, 29), heard: null },
  },
  {
    id: "the same clip twice",
    about: "clips may repeat",
    make: second,
    job: clips([0, 0.5], [0, 0.5]),
    expect: { numbers: [...range(0, 14), ...range(0, 14)] },
  },
];

export const drawingKinds = {
  overlays: effects,
  "boxes and times that miss": missed,
  titles,
  "clips' options": clipOptions,
};
