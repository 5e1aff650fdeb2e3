import type { FieldError } from "../contract/problem.ts";

export const maxDepth = 32;
export const maxNodes = 10_000;
const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * The first thing that makes a JSON value unfit whatever its schema: too deep, too many nodes, NUL or lone surrogates
 * in text, keys that name an object's prototype.
 * @returns null when the value is fit
 */
export function findUnfit(root: unknown): FieldError | null {
  const open: Node[] = [{ value: root, key: null, parent: null, depth: 0 }];
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    const detail = faultOf(node, nodes++);
    if (detail) {
      return { pointer: pointerOf(node), detail };
    }
    const { value, depth } = node;
    if (typeof value === "object" && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        // Most values are fit leaves: only the rest is worth a node.
        if (!isFitLeaf(key, child, depth + 1)) {
          open.push({ value: child, key, parent: node, depth: depth + 1 });
        } else {
          nodes++;
        }
      }
    }
  }
  return nodes > maxNodes ? { pointer: "", detail: `more than ${maxNodes} values` } : null;
}

type Node = { value: unknown; key: string | null; parent: Node | null; depth: number };

function isFitLeaf(key: string, value: unknown, depth: number): boolean {
  const isLeaf = typeof value === "string" ? isFitText(value) : typeof value !== "object" || value === null;
  return isLeaf && depth <= maxDepth && !forbiddenKeys.has(key) && isFitText(key);
}

function pointerOf({ key, parent }: Node): string {
  return parent && key !== null ? `${pointerOf(parent)}/${toPointerPart(key)}` : "";
}

function faultOf({ value, depth, key }: Node, nodes: number): string | null {
  if (key !== null && (forbiddenKeys.has(key) || !isFitText(key))) {
    return "this name is not allowed";
  }
  if (depth > maxDepth) {
    return `deeper than ${maxDepth} levels`;
  }
  if (nodes >= maxNodes) {
    return `more than ${maxNodes} values`;
  }
  return typeof value === "string" && !isFitText(value) ? "holds a NUL or a broken character" : null;
}

function isFitText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** One part of an RFC 6901 JSON pointer. */
export function toPointerPart(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1").toWellFormed();
}
