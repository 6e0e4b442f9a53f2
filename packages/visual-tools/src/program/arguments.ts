// Binds the arguments of a call to a tool's parameters, by Python's rules, and checks their kinds.
import type { Boxes, NamedBox } from "../boxes.ts";
import { boxesByName, boxesBySpelling } from "../focus/spelling.ts";
import type { ArgumentKind, Names, Scalar, Tool } from "../tool.ts";
import { runError } from "./fault.ts";
import type { Call } from "./syntax.ts";
import { boxesOf, boxOf, type ImageValue, namesOf, none, type Value } from "./values.ts";

export interface EvaluatedCall {
  readonly call: Call;
  readonly positional: readonly Value[];
  readonly keywords: ReadonlyMap<string, Value>;
}

export type BoundCall = { readonly image: ImageValue; readonly args: Readonly<Record<string, unknown>> };

const kindNames: Readonly<Record<ArgumentKind, string>> = {
  names: "a list of names",
  boxes: "a dict of boxes",
  box: "a box",
  number: "a number",
  string: "a string",
};

function argument(kind: ArgumentKind, value: Value): unknown {
  if (kind === "names") return namesOf(value);
  if (kind === "boxes") return boxesOf(value);
  if (kind === "box") return value.kind === "dict" ? boxOf("", value) : undefined;
  return value.kind === "scalar" && typeof value.value === kind ? value.value : undefined;
}

/** Values by parameter name; throws for one too many, one missing, one unknown or one given twice. */
function byParameter(parameters: readonly string[], { call, positional, keywords }: EvaluatedCall): Map<string, Value> {
  const { callee, at } = call;
  if (positional.length > parameters.length) {
    throw runError("bad_argument", `${callee} takes ${parameters.length} arguments, not ${positional.length}`, at);
  }
  const values = new Map(positional.map((value, index) => [parameters[index] ?? "", value]));
  for (const [name, value] of keywords) {
    if (!parameters.includes(name)) throw runError("bad_argument", `${callee} has no parameter "${name}"`, at);
    if (values.has(name)) throw runError("bad_argument", `${callee} is given "${name}" twice`, at);
    values.set(name, value);
  }
  const missing = parameters.find((name) => !values.has(name));
  if (missing !== undefined) throw runError("bad_argument", `${callee} needs the argument "${missing}"`, at);
  return values;
}

/** @throws ProgramFault `tool_error` where the arguments do not fit the signature */
export function bindArguments(tool: Tool, evaluated: EvaluatedCall): BoundCall {
  const { callee, at } = evaluated.call;
  const values = byParameter(["image", ...Object.keys(tool.signature)], evaluated);
  const image = values.get("image");
  if (image?.kind !== "image") throw runError("bad_argument", `the first argument of ${callee} must be an image`, at);
  const args: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(tool.signature)) {
    const value = values.get(name);
    args[name] = value === undefined ? undefined : argument(kind, value);
    if (args[name] === undefined) {
      throw runError("bad_argument", `the argument "${name}" of ${callee} must be ${kindNames[kind]}`, at);
    }
  }
  return { image, args };
}

/** The value of `display`'s one argument. */
export function displayArgument(evaluated: EvaluatedCall): Value {
  return byParameter(["image"], evaluated).get("image") ?? none;
}

/** The names a call asks for: those of the boxes they mean, and those without a box as they were written. */
export function requestedKeys(
  tool: Tool,
  args: BoundCall["args"],
  asWritten: boolean,
): { readonly keys: string[]; readonly unknown: string[] } {
  const requested: Scalar[] = [];
  const finders: ((name: Scalar) => NamedBox | undefined)[] = [];
  for (const [name, kind] of Object.entries(tool.signature)) {
    if (kind === "boxes") finders.push((asWritten ? boxesByName : boxesBySpelling)(args[name] as Boxes));
    if (kind === "names") {
      const names = args[name] as Names;
      requested.push(...(typeof names === "string" ? [names] : (names ?? [])));
    }
  }
  const keys: string[] = [];
  const unknown: string[] = [];
  for (const name of requested) {
    const box = finders.map((find) => find(name)).find((found) => found !== undefined);
    if (box === undefined) unknown.push(String(name));
    else keys.push(box.name);
  }
  return { keys, unknown };
}
