// Runs a parsed program over the values of the tool language, within its budget.
import type { RawImage } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";
import { checkImage } from "../image/pixels.ts";
import type { ToolOptions } from "../options.ts";
import type { Scalar, Tool, ToolBudget } from "../tool.ts";
import { bindArguments, displayArgument, type EvaluatedCall, requestedKeys } from "./arguments.ts";
import { overLimit, runError, unsupported } from "./fault.ts";
import { pythonBuiltins } from "./python-names.ts";
import type { Call, Expression, Program, Statement } from "./syntax.ts";
import { iterate, none, type Value } from "./values.ts";

/** What a program used of its limits. */
export type ProgramUsage = { steps: number; statements: number; calls: number; pixels: number };

/** The state of one run; it also holds what happened when a fault stops it. */
export interface Execution {
  readonly options: Pick<ToolOptions, "inPlace" | "limits" | "unknownKey">;
  readonly variables: Map<string, Value>;
  readonly usage: ProgramUsage;
  readonly tools: string[];
  readonly keys: Set<string>;
  readonly unknownKeys: Set<string>;
  displayed?: Value;
}

function spend(execution: Execution, what: keyof ProgramUsage, amount: number, at: number): void {
  const limit = execution.options.limits[what];
  if (execution.usage[what] + amount > limit) throw overLimit(what, limit, at);
  execution.usage[what] += amount;
}

/** Python keeps True and 1 as one key; so does this. */
function dictKey(value: Value, at: number): Scalar {
  if (value.kind !== "scalar") throw runError("bad_argument", "the key of a dict must be a string or number", at);
  return typeof value.value === "boolean" ? Number(value.value) : value.value;
}

function lookUp(execution: Execution, name: string, at: number): Value {
  const value = execution.variables.get(name);
  if (value !== undefined) return value;
  if (pythonBuiltins.has(name)) throw unsupported(`Python's own name "${name}"`, at);
  throw runError("undefined_name", `the name "${name}" is not defined`, at);
}

function evaluate(execution: Execution, expression: Expression): Value {
  spend(execution, "steps", 1, expression.at);
  switch (expression.kind) {
    case "scalar":
      return { kind: "scalar", value: expression.value };
    case "name":
      return lookUp(execution, expression.name, expression.at);
    case "list":
      return { kind: "list", items: expression.items.map((item) => evaluate(execution, item)) };
    case "dict": {
      const entries = expression.entries.map(({ key, value }): [Scalar, Value] => [
        dictKey(evaluate(execution, key), key.at),
        evaluate(execution, value),
      ]);
      return { kind: "dict", entries: new Map(entries) };
    }
    case "call":
      return evaluateCall(execution, expression);
  }
}

function evaluateCall(execution: Execution, call: Call): Value {
  const callee = lookUp(execution, call.callee, call.at);
  const evaluated: EvaluatedCall = {
    call,
    positional: call.positional.map((argument) => evaluate(execution, argument)),
    keywords: new Map(call.keywords.map(({ name, value }) => [name, evaluate(execution, value)])),
  };
  spend(execution, "calls", 1, call.at);
  if (callee.kind === "display") {
    execution.displayed = displayArgument(evaluated);
    return none;
  }
  if (callee.kind === "tool") return callTool(execution, callee.tool, evaluated);
  throw runError("not_callable", `"${call.callee}" is not a function`, call.at);
}

function callTool(execution: Execution, tool: Tool, evaluated: EvaluatedCall): Value {
  const { at } = evaluated.call;
  execution.tools.push(tool.name);
  const { image, args } = bindArguments(tool, evaluated);
  const { keys, unknown } = requestedKeys(tool, args, execution.options.unknownKey === "published");
  for (const key of keys) execution.keys.add(key);
  for (const key of unknown) execution.unknownKeys.add(key);
  spend(execution, "steps", keys.length + unknown.length, at);
  const result = runTool(execution, tool, image.image, args, evaluated.call);
  spend(execution, "pixels", result.width * result.height, at);
  if (result === image.image) return image;
  if (!execution.options.inPlace || tool.editsInPlace !== true) return { kind: "image", image: result };
  image.image = result;
  return image;
}

/** A tool is foreign code: whatever it throws fails the call, and what it returns is checked. */
function runTool(
  execution: Execution,
  tool: Tool,
  image: RawImage,
  args: Readonly<Record<string, unknown>>,
  { callee, at }: Call,
): RawImage {
  const { usage, options } = execution;
  const limit = options.limits.pixels;
  const budget: ToolBudget = {
    get pixels() {
      return limit - usage.pixels;
    },
    spend(pixels) {
      if (pixels > this.pixels) throw new VisualToolsError("too_many_pixels", `more than ${limit} pixels`);
      usage.pixels += pixels;
    },
  };
  // Most tools return a pixel for a pixel; one that could not pay for its input is not started.
  if (image.width * image.height > budget.pixels) throw overLimit("pixels", limit, at);
  try {
    const result = tool.run(image, args, budget);
    checkImage(result);
    return result;
  } catch (error) {
    if (error instanceof VisualToolsError && error.code === "too_many_pixels") throw overLimit("pixels", limit, at);
    const code = error instanceof VisualToolsError ? error.code : "tool_failed";
    throw runError(code, `${callee}: ${error instanceof Error ? error.message : String(error)}`, at);
  }
}

function run(execution: Execution, statement: Statement): void {
  spend(execution, "statements", 1, statement.at);
  if (statement.kind === "for") {
    const items = iterate(evaluate(execution, statement.iterable));
    if (items === undefined) throw runError("bad_argument", "a loop needs a list", statement.at);
    for (const item of items) {
      execution.variables.set(statement.target, item);
      for (const inner of statement.body) run(execution, inner);
    }
    return;
  }
  const value = evaluate(execution, statement.value);
  if (statement.kind === "assign") for (const target of statement.targets) execution.variables.set(target, value);
}

/** @throws ProgramFault `tool_error` or, beyond the limits, `unsupported` */
export function execute(execution: Execution, program: Program): void {
  for (const statement of program) run(execution, statement);
}
