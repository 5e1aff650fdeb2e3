/** One plane of samples, row by row. */
export type Plane = { width: number; height: number; data: Uint8Array };

/** A picture of 8 bits, 4:2:0: luma, then the two planes of colour at half the size. */
export type Frame = { width: number; height: number; data: Uint8Array; planes: readonly [Plane, Plane, Plane] };

export function frameBytes(width: number, height: number): number {
  return width * height + 2 * ((width + 1) >> 1) * ((height + 1) >> 1);
}

/** The picture in a buffer, which it shares. */
export function toFrame(width: number, height: number, data: Uint8Array): Frame {
  const [halfWidth, halfHeight] = [(width + 1) >> 1, (height + 1) >> 1];
  const [luma, chroma] = [width * height, halfWidth * halfHeight];
  const plane = (from: number, size: number, across: number, down: number): Plane => {
    return { width: across, height: down, data: data.subarray(from, from + size) };
  };
  const planes: Frame["planes"] = [
    plane(0, luma, width, height),
    plane(luma, chroma, halfWidth, halfHeight),
    plane(luma + chroma, chroma, halfWidth, halfHeight),
  ];
  return { width, height, data, planes };
}

export function newFrame(width: number, height: number): Frame {
  return toFrame(width, height, new Uint8Array(frameBytes(width, height)));
}

/** Red, green and blue, 0 to 255, as BT.709 samples of limited range. */
export function toSamples(red: number, green: number, blue: number): [number, number, number] {
  const luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return [
    Math.round(16 + (219 * luma) / 255),
    Math.round(128 + (224 * (blue - luma)) / 1.8556 / 255),
    Math.round(128 + (224 * (red - luma)) / 1.5748 / 255),
  ];
}
