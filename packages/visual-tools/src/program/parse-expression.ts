// From nodes of the grammar to expressions of the tool language.
import { overLimit, syntaxError, unsupported } from "./fault.ts";
import { nameValue, numberValue, stringValue } from "./literals.ts";
import type { Call, Expression } from "./syntax.ts";
import { type Context, children, describe, operands, type SyntaxNode, text } from "./syntax-tree.ts";

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
    const [key, colon, value] = parts.slice(i, i + 3);
    if (key === undefined || colon?.name !== ":" || value === undefined)
      throw unsupported("unpacking", (key ?? node).from);
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
  let taken = 0;
  for (const [i, part] of parts.entries()) {
    if (i < taken) continue;
    const [, operator, value] = parts.slice(i, i + 3);
    if (operator?.name === "AssignOp" && part.name === "VariableName") {
      if (value === undefined || text(operator, context) !== "=")
        throw unsupported("assignment in an expression", part.from);
      const name = nameValue(text(part, context), part.from);
      if (keywords.some((keyword) => keyword.name === name)) throw syntaxError(`"${name}" is given twice`, part.from);
      keywords.push({ name, at: part.from, value: expression(value, context, depth) });
      taken = i + 3;
    } else if (keywords.length > 0 && part.name !== "*" && part.name !== "**" && part.name !== "for") {
      throw syntaxError("a positional argument after a keyword argument", part.from);
    } else {
      positional.push(expression(part, context, depth));
    }
  }
  return { kind: "call", at: node.from, callee: nameValue(text(callee, context), callee.from), positional, keywords };
}

/** A string with an `f` before it and no field in it is a string. */
function formatString(node: SyntaxNode, context: Context): string {
  if (node.getChild("FormatReplacement") !== null) throw unsupported(describe(node), node.from);
  return stringValue(text(node, context), node.from).replaceAll("{{", "{").replaceAll("}}", "}");
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
    case "FormatString":
      return { kind: "scalar", at, value: formatString(node, context) };
    case "ContinuedString": {
      const parts = [...children(node)];
      const other = parts.find((part) => part.name !== "String" && part.name !== "FormatString");
      if (other !== undefined) throw unsupported(describe(other), other.from);
      const texts = parts.map((part) =>
        part.name === "FormatString" ? formatString(part, context) : stringValue(text(part, context), part.from),
      );
      return { kind: "scalar", at, value: texts.join("") };
    }
    case "Number":
      return { kind: "scalar", at, value: numberValue(text(node, context), at) };
    case "Boolean":
      return { kind: "scalar", at, value: text(node, context) === "True" };
    case "None":
      return { kind: "scalar", at, value: null };
    case "UnaryExpression":
      return signedNumber(node, context);
    case "ParenthesizedExpression": {
      const [inner] = operands(node);
      if (inner === undefined) throw syntaxError("empty parentheses", at);
      return expression(inner, context, depth);
    }
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
export function expressionList(nodes: readonly SyntaxNode[], context: Context, depth: number): Expression {
  const items = nodes.filter((node) => node.name !== ",");
  const [first] = items;
  if (first === undefined) throw syntaxError("an expression is missing", nodes[0]?.from ?? 0);
  if (nodes.length === 1) return expression(first, context, depth);
  return { kind: "list", at: first.from, items: items.map((item) => expression(item, context, depth + 1)) };
}
