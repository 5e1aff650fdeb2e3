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

/** The mean of the `reach` samples to either side; beyond the ends the last one counts. */
function boxAcross({ width, height, data }: Plane, to: Plane, reach: number): void {
  const share = 1 / (2 * reach + 1);
  for (let y = 0; y < height; y++) {
    const line = data.subarray(y * width, (y + 1) * width);
    const into = to.data.subarray(y * width, (y + 1) * width);
    let sum = 0;
    for (let x = -reach; x <= reach; x++) {
      sum += line[clamp(x, width)] ?? 0;
    }
    for (let x = 0; x < width; x++) {
      into[x] = sum * share + 0.5;
      sum += (line[clamp(x + reach + 1, width)] ?? 0) - (line[clamp(x - reach, width)] ?? 0);
    }
  }
}

/** The same from row to row, with the sums of all columns at hand. */
function boxDown({ width, height, data }: Plane, to: Plane, reach: number): void {
  const share = 1 / (2 * reach + 1);
  const sums = new Int32Array(width);
  const rowAt = (y: number) => data.subarray(clamp(y, height) * width, (clamp(y, height) + 1) * width);
  for (let y = -reach; y <= reach; y++) {
    const line = rowAt(y);
    for (let x = 0; x < width; x++) {
      sums[x] = (sums[x] ?? 0) + (line[x] ?? 0);
    }
  }
  for (let y = 0; y < height; y++) {
    const into = to.data.subarray(y * width, (y + 1) * width);
    const [coming, going] = [rowAt(y + reach + 1), rowAt(y - reach)];
    for (let x = 0; x < width; x++) {
      const sum = sums[x] ?? 0;
      into[x] = sum * share + 0.5;
      sums[x] = sum + (coming[x] ?? 0) - (going[x] ?? 0);
    }
  }
}

function clamp(index: number, count: number): number {
  return index < 0 ? 0 : index >= count ? count - 1 : index;
}
