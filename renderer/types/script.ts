import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ScriptDataType, ScriptParams } from "../../src/contract/types/script.ts";
import { InvalidParams } from "../invalid-params.ts";
import { countTokens, type Made, type Workshop } from "../made.ts";

type Elements = Readonly<Record<string, unknown>>;

/** Stands in for a model that writes: each document is drafted from the story's elements, by rules. */
export async function makeScript(params: ScriptParams, { workDir, assets, tell }: Workshop): Promise<Made> {
  const { data_type: type, story_elements: elements } = params;
  tell(0.2, "drafting");
  const earlier = Object.fromEntries(
    await Promise.all(
      Object.entries(assets).map(async ([name, file]) => [name, await readJson(name, join(workDir, file))]),
    ),
  );
  const draft = drafts[type](elements, earlier);
  const text = JSON.stringify({ data_type: type, ...draft }, null, 2);
  const output = "output.json";
  await writeFile(join(workDir, output), text);
  return { output, artifacts: {}, counters: { tokens: countTokens(JSON.stringify(elements), text) } };
}

/** @throws InvalidParams for an asset that is no JSON */
async function readJson(name: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new InvalidParams(`The asset ${name} is no JSON.`, { cause });
  }
}

const textOf = (value: unknown, otherwise: string) => (typeof value === "string" && value !== "" ? value : otherwise);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The beats that the story names, or three that every story has. */
function beatsOf(elements: Elements): string[] {
  const named = listOf(elements["beats"] ?? elements["scenes"]).map((beat) => textOf(beat, JSON.stringify(beat)));
  const theme = textOf(elements["theme"], "the story");
  return named.length > 0 ? named : [`${theme} begins`, `${theme} turns`, `${theme} ends`];
}

const drafts: Readonly<Record<ScriptDataType, (elements: Elements, earlier: Elements) => object>> = {
  ai_screenplay: (elements) => ({
    title: textOf(elements["title"], "Untitled"),
    characters: listOf(elements["characters"]),
    scenes: beatsOf(elements).map((beat, index) => ({
      number: index + 1,
      heading: `SCENE ${index + 1}`,
      action: beat,
    })),
  }),
  scene_scripts: (elements, earlier) => ({
    based_on: Object.keys(earlier),
    scripts: beatsOf(elements).map((beat, index) => ({ scene: index + 1, shots: [`Wide: ${beat}`, `Close: ${beat}`] })),
  }),
  final_video_config: (elements) => ({
    resolution: textOf(elements["resolution"], "1920x1080"),
    fps: 25,
    scenes: beatsOf(elements).map((_, index) => ({ scene: index + 1, seconds: 8 })),
  }),
  bgm_instructions: (elements) => ({
    mood: textOf(elements["mood"], "calm"),
    cues: beatsOf(elements).map((beat, index) => ({ at_seconds: index * 8, text: beat })),
  }),
  post_processing_config: (elements) => ({
    look: textOf(elements["look"], "neutral"),
    steps: ["stabilise", "grade", "titles"],
  }),
};
