/** From nodes of the grammar to expressions of the tool language. */
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
export function expressionList(nodes: readonly SyntaxNode[], context: Context, depth: number): Expression {
  const items = nodes.filter((node) => node.name !== ",");
  if (nodes.length === 1) return expression(items[0]!, context, depth);
  return { kind: "list", at: items[0]!.from, items: items.map((item) => expression(item, context, depth + 1)) };
}
