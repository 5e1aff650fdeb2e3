import type { FieldError } from "../contract/problem.ts";

export const maxDepth = 32;
export const maxNodes = 10_000;
const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * The first thing that makes a JSON value unfit whatever its schema: too deep, too many nodes, NUL or lone surrogates
 * in text, keys that name an object's prototype.
 * @returns null when the value is fit
 */
export function findUnfit(root: unknown, maxValues = maxNodes): FieldError | null {
  const open: Node[] = [{ value: root, key: null, parent: null, depth: 0 }];
  const tooMany = `more than ${maxValues} values`;
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    const detail = nodes++ < maxValues ? faultOf(node) : tooMany;
    if (detail) {
      return { pointer: pointerOf(node), detail };
    }
    nodes += openChildren(node, open);
  }
  return nodes > maxValues ? { pointer: "", detail: tooMany } : null;
}

/** Most values are fit leaves: only the rest is worth a node. @returns how many were such leaves */
function openChildren(parent: Node, open: Node[]): number {
  const { value } = parent;
  let leaves = 0;
  if (typeof value === "object" && value !== null) {
    const depth = parent.depth + 1;
    for (const [key, child] of Object.entries(value)) {
      if (isFitLeaf(key, child, depth)) {
        leaves++;
      } else {
        open.push({ value: child, key, parent, depth });
      }
    }
  }
  return leaves;
}

type Node = { value: unknown; key: string | null; parent: Node | null; depth: number };

function isFitLeaf(key: string, value: unknown, depth: number): boolean {
  const isLeaf = typeof value === "string" ? isFitText(value) : typeof value !== "object" || value === null;
  return isLeaf && depth <= maxDepth && !forbiddenKeys.has(key) && isFitText(key);
}

function pointerOf({ key, parent }: Node): string {
  return parent && key !== null ? `${pointerOf(parent)}/${toPointerPart(key)}` : "";
}

function faultOf({ value, depth, key }: Node): string | null {
  if (key !== null && (forbiddenKeys.has(key) || !isFitText(key))) {
    return "this name is not allowed";
  }
  if (depth > maxDepth) {
    return `deeper than ${maxDepth} levels`;
  }
  return typeof value === "string" && !isFitText(value) ? "holds a NUL or a broken character" : null;
}

const [quote, backslash, comma, list, object] = [...'"\\,[{'].map((mark) => mark.charCodeAt(0));

/** How many values a JSON text has at least, without making them: marks that stand in no text, halved for empty lists. */
export function countAtLeast(json: Uint8Array): number {
  let marks = 0;
  let isInText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (isInText && byte === backslash) {
      at++;
    } else if (byte === quote) {
      isInText = !isInText;
    } else if (!isInText && (byte === comma || byte === list || byte === object)) {
      marks++;
    }
  }
  return marks / 2;
}

function isFitText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** One part of an RFC 6901 JSON pointer. */
export function toPointerPart(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1").toWellFormed();
}
