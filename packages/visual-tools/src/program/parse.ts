/** Reads a program with the Lezer grammar of Python and keeps what the tool language has. Nothing is executed. */
import { parser } from "@lezer/python";
import { overLimit, syntaxError, unsupported } from "./fault.ts";
import { nameValue, numberValue, stringValue } from "./literals.ts";
import type { Call, Expression, Program, Statement } from "./syntax.ts";

type Tree = ReturnType<typeof parser.parse>;
type SyntaxNode = Tree["topNode"];
type Context = { readonly code: string; readonly nestingLimit: number };

/** Statements that Python itself refuses outside of a function. */
const functionOnly = new Set(["ReturnStatement", "YieldStatement"]);

/** "\0" and halves of surrogate pairs are no source text. */
function checkText(code: string): void {
  const bad = code.search(/\0|\p{Surrogate}/u);
  if (bad !== -1) throw syntaxError("a character that no program may hold", bad);
}

/**
 * Brackets as deep as CPython's own bound keep the parser from its slowest input. Counts those in strings too, which no program
 * that means something holds unclosed in such number.
 */
const bracketLimit = 200;

function checkBrackets(code: string): void {
  let depth = 0;
  for (let at = 0; at < code.length; at++) {
    const character = code[at]!;
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if (depth > bracketLimit) throw overLimit("open brackets", bracketLimit, at);
  }
}

function checkErrors(tree: Tree): void {
  const cursor = tree.cursor();
  do {
    if (cursor.type.isError) throw syntaxError("not valid Python", cursor.from);
  } while (cursor.next());
}

function* children(node: SyntaxNode): Generator<SyntaxNode> {
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== "Comment") yield child;
  }
}

const text = (node: SyntaxNode, { code }: Context): string => code.slice(node.from, node.to);

/** What a person calls a node of the grammar: `ImportStatement` is "import statement". */
const describe = (node: SyntaxNode): string => node.name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

const separators = new Set(["(", ")", "[", "]", "{", "}", ",", ";"]);

const operands = (node: SyntaxNode): SyntaxNode[] => [...children(node)].filter((child) => !separators.has(child.name));

function signedNumber(node: SyntaxNode, context: Context): Expression {
  const [operator, operand] = [...children(node)];
  if (operator?.name !== "ArithOp" || operand?.name !== "Number") throw unsupported("operator", node.from);
  const value = numberValue(text(operand, context), operand.from);
  return { kind: "scalar", at: node.from, value: text(operator, context) === "-" ? -value : value };
}

function dictionary(node: SyntaxNode, context: Context, depth: number): Expression {
  const parts = operands(node);
  const entries = [];
  for (let i = 0; i < parts.length; i += 3) {
    const [key, colon, value] = [parts[i]!, parts[i + 1], parts[i + 2]];
    if (colon?.name !== ":" || value === undefined) throw unsupported("unpacking", key.from);
    entries.push({ key: expression(key, context, depth), value: expression(value, context, depth) });
  }
  return { kind: "dict", at: node.from, entries };
}

function call(node: SyntaxNode, context: Context, depth: number): Call {
  const [callee, list] = [...children(node)];
  if (callee?.name !== "VariableName" || list === undefined)
    throw unsupported("call of anything but a name", node.from);
  const parts = operands(list);
  const positional: Expression[] = [];
  const keywords: Call["keywords"][number][] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (parts[i + 1]?.name === "AssignOp" && part.name === "VariableName") {
      if (text(parts[i + 1]!, context) !== "=") throw unsupported("assignment in an expression", part.from);
      const name = nameValue(text(part, context), part.from);
      if (keywords.some((keyword) => keyword.name === name)) throw syntaxError(`"${name}" is given twice`, part.from);
      keywords.push({ name, at: part.from, value: expression(parts[i + 2]!, context, depth) });
      i += 2;
    } else if (keywords.length > 0 && part.name !== "*" && part.name !== "**" && part.name !== "for") {
      throw syntaxError("a positional argument after a keyword argument", part.from);
    } else {
      positional.push(expression(part, context, depth));
    }
  }
  return { kind: "call", at: node.from, callee: nameValue(text(callee, context), callee.from), positional, keywords };
}

function expression(node: SyntaxNode, context: Context, outerDepth: number): Expression {
  const depth = outerDepth + 1;
  if (depth > context.nestingLimit) throw overLimit("levels of nesting", context.nestingLimit, node.from);
  const at = node.from;
  switch (node.name) {
    case "VariableName":
      return { kind: "name", at, name: nameValue(text(node, context), at) };
    case "String":
      return { kind: "scalar", at, value: stringValue(text(node, context), at) };
    case "ContinuedString": {
      const parts = [...children(node)];
      const formatted = parts.find((part) => part.name !== "String");
      if (formatted !== undefined) throw unsupported(describe(formatted), formatted.from);
      return { kind: "scalar", at, value: parts.map((part) => stringValue(text(part, context), part.from)).join("") };
    }
    case "Number":
      return { kind: "scalar", at, value: numberValue(text(node, context), at) };
    case "Boolean":
      return { kind: "scalar", at, value: text(node, context) === "True" };
    case "None":
      return { kind: "scalar", at, value: null };
    case "UnaryExpression":
      return signedNumber(node, context);
    case "ParenthesizedExpression":
      return expression(operands(node)[0]!, context, depth);
    case "ArrayExpression":
    case "TupleExpression":
      return { kind: "list", at, items: operands(node).map((item) => expression(item, context, depth)) };
    case "DictionaryExpression":
      return dictionary(node, context, depth);
    case "CallExpression":
      return call(node, context, depth);
    case "AwaitExpression":
      throw syntaxError("await outside of a function", at);
    default:
      throw unsupported(describe(node), at);
  }
}

/** The one expression of `nodes`; several, parted by commas, make a tuple. */
function expressionList(nodes: readonly SyntaxNode[], context: Context, depth: number): Expression {
  const items = nodes.filter((node) => node.name !== ",");
  if (nodes.length === 1) return expression(items[0]!, context, depth);
  return { kind: "list", at: items[0]!.from, items: items.map((item) => expression(item, context, depth + 1)) };
}

function target(nodes: readonly SyntaxNode[], context: Context): string {
  const node = nodes[0]!;
  if (nodes.length === 1 && node.name === "VariableName") return nameValue(text(node, context), node.from);
  if (nodes.length === 1 && !["MemberExpression", "TupleExpression", "ArrayExpression"].includes(node.name)) {
    throw syntaxError(`cannot assign to a ${describe(node)}`, node.from);
  }
  throw unsupported("assignment to anything but a name", node.from);
}

function assignment(node: SyntaxNode, context: Context, depth: number): Statement {
  const sides: SyntaxNode[][] = [[]];
  for (const child of children(node)) {
    if (child.name === "TypeDef") throw unsupported("type annotation", child.from);
    if (child.name === "AssignOp") sides.push([]);
    else sides.at(-1)!.push(child);
  }
  const value = expressionList(sides.pop()!, context, depth);
  return { kind: "assign", at: node.from, targets: sides.map((side) => target(side, context)), value };
}

function loop(node: SyntaxNode, context: Context, outerDepth: number): Statement {
  const depth = outerDepth + 1;
  if (depth > context.nestingLimit) throw overLimit("levels of nesting", context.nestingLimit, node.from);
  const parts = [...children(node)];
  const [start, keyword, end] = [parts[0]!, parts.findIndex((part) => part.name === "in"), parts.at(-1)!];
  if (start.name !== "for") throw syntaxError("an asynchronous loop outside of a function", node.from);
  if (parts.filter((part) => part.name === "Body").length !== 1) throw unsupported("else branch of a loop", node.from);
  return {
    kind: "for",
    at: node.from,
    target: target(parts.slice(1, keyword), context),
    iterable: expressionList(parts.slice(keyword + 1, -1), context, depth),
    body: statements(end, context, depth),
  };
}

function statement(node: SyntaxNode, context: Context, depth: number): Statement {
  if (node.name === "AssignStatement") return assignment(node, context, depth);
  if (node.name === "ForStatement") return loop(node, context, depth);
  if (node.name === "ExpressionStatement") {
    return { kind: "expression", at: node.from, value: expressionList([...children(node)], context, depth) };
  }
  const text = describe(node);
  const outsideLoop = depth === 0 && (node.name === "BreakStatement" || node.name === "ContinueStatement");
  const atTop = functionOnly.has(node.name) || (node.name === "ScopeStatement" && node.firstChild?.name === "nonlocal");
  if (outsideLoop || atTop) throw syntaxError(`a ${text} where Python allows none`, node.from);
  throw unsupported(text, node.from);
}

/** The white space before a statement that starts its line; undefined for one that follows another on its line. */
function indentation(node: SyntaxNode, { code }: Context): string | undefined {
  const lineStart = Math.max(code.lastIndexOf("\n", node.from - 1), code.lastIndexOf("\r", node.from - 1)) + 1;
  const before = code.slice(node.from === 0 ? 0 : lineStart, node.from).replace(/^.*\f/, "");
  return before.trim() === "" ? before : undefined;
}

/** The statements of a program or loop body. The grammar accepts ragged indentation; Python does not. */
function statements(block: SyntaxNode, context: Context, depth: number): readonly Statement[] {
  const result: Statement[] = [];
  let expected = block.name === "Script" ? "" : undefined;
  for (const child of children(block)) {
    if (child.name === ":") continue;
    const indent = indentation(child, context);
    if (indent !== undefined) {
      if (expected !== undefined && indent !== expected) throw syntaxError("unexpected indentation", child.from);
      expected = indent;
    }
    const group = child.name === "StatementGroup" ? operands(child) : [child];
    for (const node of group) result.push(statement(node, context, depth));
  }
  return result;
}

/**
 * @throws ProgramFault `parse_error` where it is no Python, `unsupported` where it is more than the tool language or its limits
 */
export function parseProgram(code: string, limits: { readonly characters: number; readonly nesting: number }): Program {
  if (code.length > limits.characters) throw overLimit("characters", limits.characters, 0);
  checkText(code);
  checkBrackets(code);
  const tree = parser.parse(code);
  checkErrors(tree);
  return statements(tree.topNode, { code, nestingLimit: limits.nesting }, 0);
}
