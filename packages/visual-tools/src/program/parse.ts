// Reads a program and keeps what the tool language has. Nothing is executed.
import { overLimit, syntaxError, unsupported } from "./fault.ts";
import { nameValue } from "./literals.ts";
import { expressionList } from "./parse-expression.ts";
import type { Program, Statement } from "./syntax.ts";
import { type Context, children, describe, operands, type SyntaxNode, syntaxTree, text } from "./syntax-tree.ts";

/** Statements that Python itself refuses outside of a function. */
const functionOnly = new Set(["ReturnStatement", "YieldStatement"]);

function target(nodes: readonly SyntaxNode[], context: Context): string {
  const [node] = nodes;
  if (node === undefined) throw syntaxError("a target is missing", 0);
  if (nodes.length === 1 && node.name === "VariableName") return nameValue(text(node, context), node.from);
  if (nodes.length === 1 && !["MemberExpression", "TupleExpression", "ArrayExpression"].includes(node.name)) {
    throw syntaxError(`cannot assign to a ${describe(node)}`, node.from);
  }
  throw unsupported("assignment to anything but a name", node.from);
}

function assignment(node: SyntaxNode, context: Context, depth: number): Statement {
  let side: SyntaxNode[] = [];
  const sides: SyntaxNode[][] = [];
  for (const child of children(node)) {
    if (child.name === "TypeDef") throw unsupported("type annotation", child.from);
    if (child.name === "AssignOp") {
      sides.push(side);
      side = [];
    } else side.push(child);
  }
  const value = expressionList(side, context, depth);
  return { kind: "assign", at: node.from, targets: sides.map((side) => target(side, context)), value };
}

function loop(node: SyntaxNode, context: Context, outerDepth: number): Statement {
  const depth = outerDepth + 1;
  if (depth > context.nestingLimit) throw overLimit("levels of nesting", context.nestingLimit, node.from);
  const parts = [...children(node)];
  const keyword = parts.findIndex((part) => part.name === "in");
  const [start, end] = [parts[0], parts.at(-1)];
  if (start?.name !== "for" || end === undefined)
    throw syntaxError("an asynchronous loop outside of a function", node.from);
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

function showsNothing(node: SyntaxNode, context: Context): boolean {
  if (!context.passesOver) return false;
  if (node.name === "ImportStatement") return true;
  return node.name === "ExpressionStatement" && /^print\s*\((?![\s\S]*\bdisplay\s*\()/.test(text(node, context));
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
    for (const node of group) if (!showsNothing(node, context)) result.push(statement(node, context, depth));
  }
  return result;
}

/**
 * @param passesOver leave out imports, and prints that show no picture
 * @throws ProgramFault `parse_error` where it is no Python, `unsupported` where it is more than the tool language or its limits
 */
export function parseProgram(
  code: string,
  limits: { readonly characters: number; readonly nesting: number },
  passesOver = false,
): Program {
  if (code.length > limits.characters) throw overLimit("characters", limits.characters, 0);
  return statements(syntaxTree(code), { code, nestingLimit: limits.nesting, passesOver }, 0);
}
