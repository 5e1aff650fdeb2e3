import { type ESTree, parseSync, Visitor } from "vite";
import {
  type Edit,
  editsOfFunction,
  editsOfLogic,
  editsOfObject,
  editsOfStep,
  editsOfSwitch,
  editsOfTable,
  negated,
} from "./edits.ts";
import { mutatedFiles, readSource } from "./sources.ts";

/** A copy of one source file that is broken in one point. */
export type Mutant = Readonly<{
  /** Says what is broken, and is as good after an edit elsewhere in the file. */
  key: string;
  /** The key with the line. */
  name: string;
  file: string;
  edit: Edit;
}>;

/** Every mutant of the protocol, in the order of the sources. */
export function generateMutants(): Mutant[] {
  return mutatedFiles.flatMap((file) => mutantsOf(file, readSource(file)));
}

/** The source with the mutant's fault. */
export function toBrokenSource({ file, edit }: Mutant): string {
  const source = readSource(file);
  return source.slice(0, edit.start) + edit.text + source.slice(edit.end);
}

/** The mutants of one file. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) {
    throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  }
  const counts = new Map<string, number>();
  return editsOf(program, source).map(({ within, edit }) => {
    const said = edit.what.replaceAll(/\s+/g, " ");
    const what = `${within}, ${edit.kind}: ${said.length > 90 ? `${said.slice(0, 87)}...` : said}`;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    const unique = count === 1 ? what : `${what} (${count})`;
    const line = source.slice(0, edit.start).split("\n").length;
    return { key: `${file} ${unique}`, name: `${file}:${line} ${unique}`, file, edit };
  });
}

type Placed = { within: string; edit: Edit };

/** Every edit, with the name of the function that it lies in. */
function editsOf(program: ESTree.Program, source: string): Placed[] {
  const found: Placed[] = [];
  const patches = namesOfPatches(program);
  const functions: { name: string; node: FunctionNode }[] = [];
  const add = (...edits: Edit[]) => {
    const within = functions.at(-1)?.name ?? "(top)";
    // What only warns the operator is nothing that an audit could see.
    if (within.startsWith("warn")) {
      return;
    }
    found.push(...edits.map((edit) => ({ within, edit })));
  };
  const enter = (name: string | undefined, node: FunctionNode) => {
    functions.push({ name: name ?? functions.at(-1)?.name ?? "(anonymous)", node });
    add(...editsOfFunction(node, source));
  };
  const leave = () => {
    functions.pop();
  };
  const names = namesOfFunctions(program);
  const addLogic = editsOfLogic(source);
  new Visitor({
    FunctionDeclaration: (node) => enter(node.id?.name, node),
    FunctionExpression: (node) => enter(names.get(node.start), node),
    ArrowFunctionExpression: (node) => enter(names.get(node.start), node),
    "FunctionDeclaration:exit": leave,
    "FunctionExpression:exit": leave,
    "ArrowFunctionExpression:exit": leave,
    IfStatement: ({ test }) => add(negated(test, source)),
    ConditionalExpression: ({ test }) => add(negated(test, source)),
    LogicalExpression: (node) => add(...addLogic(node)),
    SwitchStatement: (node) => {
      const within = functions.at(-1)?.node;
      add(...(within ? editsOfSwitch(node, within, source) : []));
    },
    VariableDeclarator: (node) => add(...editsOfTable(node, source)),
    ObjectExpression: (node) => add(...(isPatch(node, patches) ? editsOfObject(node, source) : [])),
    ExpressionStatement: (node) => add(...editsOfStep(node, source)),
  }).visit(program);
  return found;
}

type FunctionNode = ESTree.Function | ESTree.ArrowFunctionExpression;

/** The names of functions that are methods, or values of constants and properties, by where they start. */
function namesOfFunctions(program: ESTree.Program): Map<number, string> {
  const names = new Map<number, string>();
  const nameOf = (key: ESTree.Node) => (key.type === "Identifier" || key.type === "PrivateIdentifier" ? key.name : "");
  new Visitor({
    MethodDefinition: ({ key, value }) => {
      names.set(value.start, nameOf(key));
    },
    Property: ({ key, value }) => {
      names.set(value.start, nameOf(key));
    },
    VariableDeclarator: ({ id, init }) => {
      names.set(init?.start ?? -1, nameOf(id));
    },
  }).visit(program);
  return names;
}

/** Constants that are spread into an object, or become part of an attempt's phase; and the literals that are so at once. */
type Patches = Readonly<{ names: ReadonlySet<string>; literals: ReadonlySet<number> }>;

function isPatch(node: ESTree.ObjectExpression, { literals }: Patches): boolean {
  return literals.has(node.start) || node.properties.some(({ type }) => type === "SpreadElement");
}

function namesOfPatches(program: ESTree.Program): Patches {
  const names = new Set<string>();
  const literals = new Set<number>();
  const note = (node: ESTree.Node | null | undefined) => {
    if (node?.type === "Identifier") {
      names.add(node.name);
    } else if (node?.type === "ObjectExpression") {
      literals.add(node.start);
    }
  };
  new Visitor({
    ObjectExpression: ({ properties }) => {
      for (const property of properties) {
        note(property.type === "SpreadElement" ? property.argument : null);
      }
    },
    CallExpression: ({ callee, arguments: given }) => {
      note(callee.type === "Identifier" && callee.name === "toPhase" ? given[1] : null);
    },
  }).visit(program);
  new Visitor({
    VariableDeclarator: ({ id, init }) => {
      const value = init?.type === "TSAsExpression" ? init.expression : init;
      if (id.type === "Identifier" && names.has(id.name)) {
        note(value?.type === "ObjectExpression" ? value : null);
      }
    },
  }).visit(program);
  return { names, literals };
}
