import { quarter } from "./blend.ts";
import type { Frame, Plane } from "./frame.ts";

/** A quarter of the size, blurred: box by box, twice. @param radius in pixels of the picture */
export function blurredQuarter(source: Frame, radius: number): Plane[] {
  return source.planes.map((plane, index) => {
    const reach = Math.max(1, Math.round(radius / quarter / (index === 0 ? 1 : 2)));
    const small = shrink(plane);
    const other = { ...small, data: new Uint8Array(small.data.length) };
    for (let pass = 0; pass < 2; pass++) {
      boxAcross(small, other, reach);
      boxDown(other, small, reach);
    }
    return small;
  });
}

/** The means of four by four samples; at the right and lower edge of fewer. */
function shrink({ width, height, data }: Plane): Plane {
  const [across, down] = [Math.ceil(width / quarter), Math.ceil(height / quarter)];
  const small = new Uint8Array(across * down);
  const sums = new Uint16Array(across);
  const lastCount = width - (across - 1) * quarter;
  for (let y = 0; y < down; y++) {
    sums.fill(0);
    const rows = Math.min(quarter, height - y * quarter);
    for (let row = 0; row < rows; row++) {
      addRow(data.subarray((y * quarter + row) * width, (y * quarter + row + 1) * width), sums);
    }
    for (let x = 0; x < across; x++) {
      small[y * across + x] = (sums[x] ?? 0) / (rows * (x === across - 1 ? lastCount : quarter));
    }
  }
  return { width: across, height: down, data: small };
}

function addRow(line: Uint8Array, sums: Uint16Array): void {
  for (let x = 0, at = 0; x < sums.length; x++, at += quarter) {
    const sum = (line[at] ?? 0) + (line[at + 1] ?? 0) + (line[at + 2] ?? 0) + (line[at + 3] ?? 0);
    sums[x] = (sums[x] ?? 0) + sum;
  }
}

function boxAcross({ width, height, data }: Plane, to: Plane, reach: number): void {
  for (let y = 0; y < height; y++) {
    boxLine(data, to.data, y * width, 1, width, reach);
  }
}

function boxDown({ width, height, data }: Plane, to: Plane, reach: number): void {
  for (let x = 0; x < width; x++) {
    boxLine(data, to.data, x, width, height, reach);
  }
}

/** The mean of the `reach` samples to either side; beyond the ends the last one counts. */
function boxLine(from: Uint8Array, to: Uint8Array, start: number, step: number, count: number, reach: number): void {
  const size = 2 * reach + 1;
  const at = (index: number) => from[start + Math.max(0, Math.min(count - 1, index)) * step] ?? 0;
  let sum = 0;
  for (let index = -reach; index <= reach; index++) {
    sum += at(index);
  }
  for (let index = 0; index < count; index++) {
    to[start + index * step] = (sum + reach) / size;
    sum += at(index + reach + 1) - at(index - reach);
  }
}
