// What a program that never calls `display` is taken to show (docs/method.md A.6).
import type { Expression, Program, Statement } from "./syntax.ts";
import type { ImageValue, Value } from "./values.ts";

function calls(expression: Expression, name: string): boolean {
  switch (expression.kind) {
    case "call":
      return (
        expression.callee === name ||
        expression.positional.some((argument) => calls(argument, name)) ||
        expression.keywords.some((keyword) => calls(keyword.value, name))
      );
    case "list":
      return expression.items.some((item) => calls(item, name));
    case "dict":
      return expression.entries.some(({ key, value }) => calls(key, name) || calls(value, name));
    default:
      return false;
  }
}

function statementCalls(statement: Statement, name: string): boolean {
  if (statement.kind === "for") {
    return calls(statement.iterable, name) || statement.body.some((inner) => statementCalls(inner, name));
  }
  return calls(statement.value, name);
}

const display = (at: number, shown: Expression): Statement => ({
  kind: "expression",
  at,
  value: { kind: "call", at, callee: "display", positional: [shown], keywords: [] },
});

/** The program, with `display` of its last top-level tool call where it has none anywhere. */
export function withDisplay(program: Program, toolNames: ReadonlySet<string>): Program {
  if (program.some((statement) => statementCalls(statement, "display"))) return program;
  const index = program.findLastIndex(
    (statement) =>
      (statement.kind === "expression" || (statement.kind === "assign" && statement.targets.length === 1)) &&
      statement.value.kind === "call" &&
      toolNames.has(statement.value.callee),
  );
  const last = program[index];
  if (last?.kind === "assign") {
    const [name] = last.targets;
    return name === undefined ? program : [...program, display(last.at, { kind: "name", at: last.at, name })];
  }
  return last?.kind === "expression" ? program.with(index, display(last.at, last.value)) : program;
}

/** The image variable that the program made last. */
export function lastImage(variables: ReadonlyMap<string, Value>, given: ReadonlySet<string>): ImageValue | undefined {
  let last: ImageValue | undefined;
  for (const [name, value] of variables) if (value.kind === "image" && !given.has(name)) last = value;
  return last;
}
