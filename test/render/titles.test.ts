import { describe, expect, it } from "vitest";
import { familiesOf } from "../../renderer/fonts.ts";
import type { Layer } from "../../renderer/picture/layers.ts";
import { drawTitle, wrap } from "../../renderer/titles.ts";

const picture = { width: 640, height: 360 };
const draw = (text: string) => drawTitle(text, picture);
const luma = ({ frame }: Layer) => Buffer.from(frame.planes[0].data);

/** The columns of a title that have something bright in them, between two rows. */
function inkOf({ frame }: Layer, from = 0, to = frame.height): number[] {
  const { width, data } = frame.planes[0];
  return Array.from({ length: width }, (_, x) => x).filter((x) =>
    Array.from({ length: to - from }, (_, row) => data[(from + row) * width + x] ?? 0).some((value) => value > 150),
  );
}

describe("a title", () => {
  it("has a glyph of its own for each letter of any script", () => {
    // A letter without a glyph is drawn as an empty box, whichever it is.
    for (const pair of ["进球", "決ゴ", "한국", "שם", "مر", "ไท", "हन", "жд", "ωλ"]) {
      const [first = "", second = ""] = pair;
      expect(inkOf(draw(first)).length, first).toBeGreaterThan(0);
      expect(luma(draw(first)).equals(luma(draw(second))), pair).toBe(false);
    }
  });

  it("shows emoji in their colours, and digits as the letters beside them", () => {
    const isColoured = ({ frame }: Layer) => frame.planes[2].data.some((red) => red > 170);
    for (const emoji of ["❤️", "😡", "👨‍👩‍👧 ❤️", "🇨🇭", "🥊"]) {
      expect(isColoured(draw(emoji)), emoji).toBe(true);
    }
    expect(isColoured(draw("2:1"))).toBe(false);
    expect(familiesOf("❤️ 7")[0]).toBe(familiesOf("7")[0]);
  });

  it("draws Chinese characters as its language does", () => {
    const [chinese, japanese, korean] = ["骨", "骨の", "骨이"].map((text) => familiesOf(text).join(" "));
    expect(chinese).toMatch(/sans sc/);
    expect(japanese).toMatch(/^(?!.*sans sc.*sans jp).*sans jp/);
    expect(korean).toMatch(/sans kr/);
  });

  it("stays inside the picture, in as many lines as it needs", () => {
    const one = draw("Goal");
    for (const text of ["a wide title ".repeat(15), "w".repeat(200), "守门员没有反应过来".repeat(20)]) {
      const { frame, left, top } = draw(text);
      expect(frame.height).toBeGreaterThan(2 * one.frame.height);
      expect(left + frame.width).toBeLessThanOrEqual(picture.width);
      expect(top + frame.height).toBeLessThanOrEqual(picture.height);
    }
    expect(drawTitle("w".repeat(200), { width: 16, height: 4096 }).frame.width).toBeLessThanOrEqual(32);
  });

  it("breaks lines between words, and words that are too long between letters", () => {
    const fits = (line: string) => line.length <= 6;
    expect(wrap("one two three", fits)).toEqual(["one", "two", "three"]);
    expect(wrap("to be or", fits)).toEqual(["to be", "or"]);
    expect(wrap("abcdefghij k", fits)).toEqual(["abcdef", "ghij k"]);
  });

  it("reads from the right where its letters do", () => {
    const [left, right] = [draw("שלום ".repeat(16)), draw("hello ".repeat(16))];
    for (const [layer, isRight] of [
      [left, true],
      [right, false],
    ] as const) {
      const { height, width } = layer.frame;
      const lastLine = inkOf(layer, Math.floor(height * 0.6), height);
      const middle = ((lastLine[0] ?? 0) + (lastLine.at(-1) ?? 0)) / 2;
      expect(middle > width / 2).toBe(isRight);
    }
    expect(luma(draw("שב")).equals(luma(draw("בש")))).toBe(false);
  });
});
