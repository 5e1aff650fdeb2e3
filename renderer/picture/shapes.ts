/** A shape of a region, around its middle. */
export type Shape = { kind: "ellipse" | "rect"; x: number; y: number; radiusX: number; radiusY: number };

/** How far a point is outside of a shape (inside: below zero), in pixels; near the edge it is exact enough to draw. */
export function distanceTo({ kind, x, y, radiusX, radiusY }: Shape, atX: number, atY: number): number {
  const dx = Math.abs(atX - x);
  const dy = Math.abs(atY - y);
  if (kind === "rect") {
    const outX = dx - radiusX;
    const outY = dy - radiusY;
    return outX > 0 && outY > 0 ? Math.sqrt(outX * outX + outY * outY) : Math.max(outX, outY);
  }
  const u = dx / radiusX;
  const v = dy / radiusY;
  const reach = Math.sqrt(u * u + v * v);
  const slope = Math.sqrt((u / radiusX) ** 2 + (v / radiusY) ** 2);
  return slope === 0 ? -Math.min(radiusX, radiusY) : ((reach - 1) * reach) / slope;
}

/** The rows and columns that a shape, widened by `margin`, touches in a picture. */
export function boundsOf({ x, y, radiusX, radiusY }: Shape, margin: number, width: number, height: number) {
  return {
    left: Math.max(0, Math.floor(x - radiusX - margin)),
    right: Math.min(width, Math.ceil(x + radiusX + margin) + 1),
    top: Math.max(0, Math.floor(y - radiusY - margin)),
    bottom: Math.min(height, Math.ceil(y + radiusY + margin) + 1),
  };
}

/** How much of the pixel whose middle is so far from the edge lies inside, 0 to 1. */
export function coverage(distance: number): number {
  return Math.max(0, Math.min(1, 0.5 - distance));
}
