import type { CreateJobInput } from "../client/index.ts";
import { field, h, numberInput } from "./dom.ts";

type Box = { time: number; x: number; y: number; width: number; height: number };
type ParamsOf<Type> = Pick<Extract<CreateJobInput, { type: Type }>, "type" | "params">;
type Parts = ParamsOf<"framing"> | ParamsOf<"overlay"> | ParamsOf<"annotate">;

/** Edits a job's params beside the video they are about. */
export type ParamsEditor = { element: HTMLElement; show(type: string): void; read(): Parts };

/** The box at an instant: between two keyframes on the line from one to the other. */
export function boxAt(keyframes: readonly Box[], time: number): Box | null {
  const after = keyframes.findIndex((keyframe) => keyframe.time > time);
  const [first] = keyframes;
  if (!first || after === 0) {
    return first ?? null;
  }
  const from = keyframes[after < 0 ? keyframes.length - 1 : after - 1] ?? first;
  const to = keyframes[after < 0 ? keyframes.length - 1 : after] ?? from;
  const share = to.time > from.time ? (time - from.time) / (to.time - from.time) : 0;
  const between = (a: number, b: number) => a + (b - a) * share;
  return {
    time,
    x: between(from.x, to.x),
    y: between(from.y, to.y),
    width: between(from.width, to.width),
    height: between(from.height, to.height),
  };
}

export function newParamsEditor(video: HTMLVideoElement, stage: HTMLElement): ParamsEditor {
  const box = h("div", { class: "box", hidden: true });
  stage.append(box);
  const element = h("fieldset", { class: "panel" });
  const keyframes: Box[] = [];
  const clips: { start_time: number; end_time: number }[] = [];
  let type = "framing";
  const inputs = { x: numberInput(0), y: numberInput(0), width: numberInput(360), height: numberInput(640) };
  const start = numberInput(0);
  const end = numberInput(1);
  const list = h("p", { class: "quiet", role: "status" });

  const present = (): Box => ({
    time: Number(video.currentTime.toFixed(3)),
    ...{ x: Number(inputs.x.value), y: Number(inputs.y.value) },
    ...{ width: Number(inputs.width.value), height: Number(inputs.height.value) },
  });
  const place = (shown: Box | null) => {
    box.hidden = !shown || type === "annotate" || video.videoWidth === 0;
    if (shown && video.videoWidth > 0) {
      const scale = video.clientWidth / video.videoWidth;
      const { x, y, width, height } = shown;
      Object.assign(box.style, {
        left: `${x * scale}px`,
        top: `${y * scale}px`,
        width: `${width * scale}px`,
        height: `${height * scale}px`,
      });
      box.classList.toggle("round", type === "overlay");
    }
  };
  const fit = () => {
    const height = Math.min(640, video.videoHeight);
    const width = Math.round((height * 9) / 16);
    const fitted = {
      x: Math.round((video.videoWidth - width) / 2),
      y: Math.round((video.videoHeight - height) / 2),
      width,
      height,
    };
    for (const [name, value] of Object.entries(fitted)) {
      const input = Object.entries(inputs).find(([known]) => known === name)?.[1];
      if (input) {
        input.value = String(value);
      }
    }
    end.value = String(Number.isFinite(video.duration) ? Number(video.duration.toFixed(2)) : 1);
    place(present());
  };
  const tell = () => {
    const times =
      type === "annotate"
        ? clips.map(({ start_time, end_time }) => `${start_time}–${end_time} s`)
        : keyframes.map(({ time }) => `${time} s`);
    list.textContent = times.length === 0 ? "" : `${type === "annotate" ? "Clips" : "Keyframes"}: ${times.join(", ")}`;
  };
  const addKeyframe = () => {
    const now = present();
    const others = keyframes.filter(({ time }) => time !== now.time);
    keyframes.splice(0, keyframes.length, ...[...others, now].sort((a, b) => a.time - b.time));
    tell();
  };
  const addClip = () => {
    clips.push({ start_time: Number(start.value), end_time: Number(end.value) });
    tell();
  };
  video.addEventListener("loadedmetadata", fit);
  video.addEventListener("timeupdate", () =>
    place(keyframes.length > 1 ? boxAt(keyframes, video.currentTime) : present()),
  );
  for (const input of Object.values(inputs)) {
    input.addEventListener("input", () => place(present()));
  }

  const show = (wanted: string) => {
    type = wanted;
    const legend = h(
      "legend",
      {},
      wanted === "annotate" ? "Clips" : wanted === "overlay" ? "Highlighted region" : "Crop",
    );
    const boxFields = Object.entries(inputs).map(([name, input]) => field(`${name} (px)`, input));
    const fields = wanted === "annotate" ? [field("from (s)", start), field("to (s)", end)] : boxFields;
    const add = h(
      "button",
      { type: "button", onclick: wanted === "annotate" ? addClip : addKeyframe },
      wanted === "annotate" ? "Add clip" : "Add keyframe here",
    );
    element.replaceChildren(legend, h("div", { class: "row" }, ...fields, add), list);
    place(present());
    tell();
  };
  return {
    element,
    show,
    read: () =>
      toParams(
        type,
        keyframes.length > 0 ? keyframes : [{ ...present(), time: 0 }],
        clips,
        Number(start.value),
        Number(end.value),
      ),
  };
}

function toParams(
  type: string,
  boxes: readonly Box[],
  clips: readonly { start_time: number; end_time: number }[],
  start: number,
  end: number,
): Parts {
  if (type === "annotate") {
    return { type, params: { clips: clips.length > 0 ? [...clips] : [{ start_time: start, end_time: end }] } };
  }
  if (type === "overlay") {
    const keyframes = boxes.map(({ time, x, y, width, height }) => {
      return { time, x: x + width / 2, y: y + height / 2, radius_x: width / 2, radius_y: height / 2 };
    });
    const last = Math.max(end, (boxes.at(-1)?.time ?? 0) + 0.1);
    const region = { start_time: 0, end_time: last, shape: "ellipse" as const, keyframes };
    return { type, params: { highlight_regions: [region], effect_type: "dark_overlay" } };
  }
  return { type: "framing", params: { crop_keyframes: [...boxes], output_width: 720, output_height: 1280 } };
}
