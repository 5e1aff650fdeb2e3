import type { ESTree } from "vite";

/** One change of a source's text, and in a few words what it breaks. */
export type Edit = Readonly<{ kind: string; what: string; start: number; end: number; text: string }>;

type FunctionNode = ESTree.Function | ESTree.ArrowFunctionExpression;

/** A condition that decides the other way. */
export function negated({ start, end }: ESTree.Node, source: string): Edit {
  const what = source.slice(start, end);
  return { kind: "guard negated", what, start, end, text: `!(${what})` };
}

/** Tables of functions by name: each entry in turn does nothing. */
const tables = new Set(["handlers", "absentAs"]);

export function editsOfTable({ id, init }: ESTree.VariableDeclarator, source: string): Edit[] {
  if (id.type !== "Identifier" || !tables.has(id.name) || init?.type !== "ObjectExpression") {
    return [];
  }
  return init.properties.flatMap((property) => {
    if (property.type !== "Property") {
      return [];
    }
    const { start, end, key } = property;
    const name = source.slice(key.start, key.end);
    return [{ kind: "handler dropped", what: `${id.name}.${name}`, start, end, text: `${name}: () => null` }];
  });
}

/** What is only said in the log changes nothing that an audit could see. */
const logging = /^((this\.#)?ports\.)?(warn\w*|fail)\(/;

/** A step that is not taken. */
export function editsOfStep({ start, end }: ESTree.ExpressionStatement, source: string): Edit[] {
  const what = source.slice(start, end);
  return logging.test(what) ? [] : [{ kind: "step dropped", what, start, end, text: ";" }];
}

/** A patch without one of its fields. */
export function editsOfObject({ properties }: ESTree.ObjectExpression, source: string): Edit[] {
  return properties.flatMap((property, index): Edit[] => {
    if (property.type !== "Property") {
      return [];
    }
    const [before, after] = [properties[index - 1], properties[index + 1]];
    const what = source.slice(property.start, property.end);
    const start = after ? property.start : (before?.end ?? property.start);
    return [{ kind: "field dropped", what, start, end: after?.start ?? property.end, text: "" }];
  });
}

/** `a && b` and `a || b` without one of their operands: one that no longer counts. */
export function editsOfLogic(source: string): (node: ESTree.LogicalExpression) => Edit[] {
  const inner = new Set<string>();
  const textOf = ({ start, end }: ESTree.Node) => source.slice(start, end);
  /** A chain of one operator is read from its outermost node, which comes first. */
  const operandsOf = (node: ESTree.Expression, operator: string): ESTree.Node[] => {
    if (node.type !== "LogicalExpression" || node.operator !== operator) {
      return [node];
    }
    inner.add(`${node.start}-${node.end}`);
    return [...operandsOf(node.left, operator), node.right];
  };
  return (node) => {
    const { start, end, operator } = node;
    if (operator === "??" || inner.has(`${start}-${end}`)) {
      return [];
    }
    const operands = operandsOf(node, operator);
    return operands.map((operand): Edit => {
      const text = operands
        .filter((other) => other !== operand)
        .map(textOf)
        .join(` ${operator} `);
      const value = operator === "&&" ? "true" : "false";
      return { kind: `operand taken for ${value}`, what: textOf(operand), start, end, text };
    });
  };
}

/** A function of a job that leaves it as it is, a method that does nothing, a yes that is a no. */
export function editsOfFunction(node: FunctionNode, source: string): Edit[] {
  const { body, returnType } = node;
  if (body?.type !== "BlockStatement" || !returnType) {
    return [];
  }
  const type = source.slice(returnType.typeAnnotation.start, returnType.typeAnnotation.end);
  const start = body.start + 1;
  if (type.startsWith("JobState") && takesJob(node, source)) {
    return [{ kind: "body dropped", what: "return job", start, end: start, text: " return job;" }];
  }
  if (type === "void" || type === "Promise<void>") {
    return [{ kind: "body dropped", what: "return", start, end: start, text: " return;" }];
  }
  if (type !== "boolean") {
    return [];
  }
  return body.body.flatMap((statement) =>
    statement.type === "ReturnStatement" && statement.argument && isPlain(statement.argument)
      ? [negated(statement.argument, source)]
      : [],
  );
}

function isPlain({ type }: ESTree.Expression): boolean {
  return !["LogicalExpression", "ConditionalExpression", "ParenthesizedExpression"].includes(type);
}

function takesJob({ params }: FunctionNode, source: string): boolean {
  const [first] = params;
  return first?.type === "Identifier" && source.slice(first.start, first.end) === "job: JobState";
}

/** Cases of a switch that do something, and now leave all as it is; or, where that is no answer, are no cases any more. */
export function editsOfSwitch({ cases }: ESTree.SwitchStatement, within: FunctionNode, source: string): Edit[] {
  return cases.flatMap(({ test, consequent }, index): Edit[] => {
    // An empty case goes on into the next.
    const [first] = cases.slice(index).find((other) => other.consequent.length > 0)?.consequent ?? [];
    if (!test || !first || doesNothing(first, source)) {
      return [];
    }
    const what = source.slice(test.start, test.end);
    const unchanged = unchangedBy(within, source);
    if (unchanged) {
      const after = source.indexOf(":", test.end) + 1;
      return [{ kind: "case dropped", what, start: after, end: after, text: ` return ${unchanged};` }];
    }
    const answer = first.type === "ReturnStatement" ? first.argument : null;
    if (answer && isOneOf(["true", "false"], answer, source)) {
      return consequent.length > 0 ? [{ ...negated(answer, source), kind: "case answers otherwise", what }] : [];
    }
    return [{ kind: "case dropped", what, start: test.start, end: test.end, text: '"no such case"' }];
  });
}

function doesNothing(statement: ESTree.Statement, source: string): boolean {
  const answer = statement.type === "ReturnStatement" ? statement.argument : null;
  return answer !== null && isOneOf(["null", "job", "never", "[]"], answer, source);
}

function isOneOf(texts: readonly string[], { start, end }: ESTree.Node, source: string): boolean {
  return texts.includes(source.slice(start, end));
}

/** What a function of a job answers that changes nothing about it; null where it answers something else. */
function unchangedBy(within: FunctionNode, source: string): "job" | "null" | null {
  const { returnType } = within;
  const type = returnType ? source.slice(returnType.start, returnType.end) : "JobState | null";
  if (!takesJob(within, source) || !type.includes("JobState")) {
    return null;
  }
  return type.includes("null") ? "null" : "job";
}
