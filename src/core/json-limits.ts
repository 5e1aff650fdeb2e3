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
  const open: Node[] = [{ value: root, pointer: "", depth: 0 }];
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    const detail = faultOf(node, nodes++);
    if (detail) {
      return { pointer: node.pointer, detail };
    }
    open.push(...childrenOf(node));
  }
  return null;
}

type Node = { value: unknown; pointer: string; depth: number; key?: string };

function childrenOf({ value, pointer, depth }: Node): Node[] {
  if (typeof value !== "object" || value === null) {
    return [];
  }
  return Object.entries(value).map(([key, child]) => {
    return { value: child, pointer: `${pointer}/${toPointerPart(key)}`, depth: depth + 1, key };
  });
}

function faultOf({ value, depth, key = "" }: Node, nodes: number): string | null {
  if (forbiddenKeys.has(key) || !isFitText(key)) {
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
