// Where settings come from: files that extend one another, and --set. Each knows which text a setting was written as.
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parse, parseDocument, YAMLError } from "yaml";
import { schemasAt } from "./json-schema.ts";

export type Path = readonly PropertyKey[];

/** A place in a text, for a message. */
export interface Place {
  /** Such as `run.yaml:12:3`. */
  readonly name: string;
  readonly line: string;
  /** From 0, within the line. */
  readonly column: number;
  readonly length: number;
  /** Shown before the line, such as its number. */
  readonly label: string;
}

/** What went wrong where. */
export interface Problem {
  readonly message: string;
  readonly place: Place | undefined;
  readonly advice?: string | undefined;
}

export interface Layer {
  /** Plain data. */
  readonly data: unknown;
  /** The text that the deepest known part of a path was written as: of its key, or of its value. */
  locate(path: Path, part: "key" | "value"): { place: Place; depth: number } | undefined;
}

/** Reads YAML (JSON is YAML too). Returns the problems of a text that is none. */
export function yamlLayer(text: string, file: string): Layer | Problem[] {
  const lineCounter = new LineCounter();
  const lines = text.split(/\r?\n/);
  const placeOf = (start: number, end: number): Place => {
    const { line, col } = lineCounter.linePos(start);
    const content = lines[line - 1] ?? "";
    const length = Math.max(1, Math.min(end - start, content.length - col + 1));
    return { name: `${file}:${line}:${col}`, line: content, column: col - 1, length, label: String(line) };
  };
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const problems = document.errors.map(({ message, pos }): Problem => ({ message, place: placeOf(...pos) }));
  if (problems.length > 0) return problems;
  const { contents } = document;
  if (contents !== null && !isMap(contents)) {
    const [start, end] = contents.range ?? [0, 0];
    return [{ message: "a configuration is a mapping of keys to values", place: placeOf(start, end) }];
  }
  let data: unknown;
  try {
    data = document.toJS() ?? {};
  } catch (error) {
    return [{ message: error instanceof Error ? error.message : String(error), place: undefined }]; // too many aliases
  }
  return {
    data,
    locate(path, part) {
      const found = contents ? find(contents, path, part) : undefined;
      return found && { place: placeOf(...found.range), depth: found.depth };
    },
  };
}

/** The range of the deepest node on a path. */
function find(
  contents: Node,
  path: Path,
  part: "key" | "value",
): { range: readonly [number, number]; depth: number } | undefined {
  let node: Node | null | undefined = contents;
  let found: { range: readonly [number, number]; depth: number } | undefined;
  for (const [i, key] of path.entries()) {
    let range: Node["range"];
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      const written = pair?.key as Node | undefined;
      const value = pair?.value as Node | null | undefined;
      const wantsValue = part === "value" && i === path.length - 1 && isScalar(value) && value.source !== "";
      range = wantsValue ? value.range : written?.range;
      node = value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)] as Node | undefined;
      range = node?.range;
    }
    if (!range) break;
    found = { range: [range[0], range[1]], depth: i + 1 };
    if (!node) break;
  }
  return found;
}

/** Reads `a.b=c`: where the schema wants a text, c is taken as it stands, else it is YAML. */
export function setLayer(assignment: string): Layer | Problem[] {
  const line = `--set ${assignment}`;
  const equals = assignment.indexOf("=");
  const name = equals < 0 ? assignment : assignment.slice(0, equals);
  const keys = name.split(".");
  const whole = { name: "command line", line, column: 6, length: assignment.length, label: "" };
  if (equals < 0 || keys.includes(""))
    return [{ message: "this must read key=value, such as grpo.steps=20", place: whole }];
  const text = assignment.slice(equals + 1);
  let value: unknown;
  try {
    value = schemasAt(keys).some(({ type }) => type === "string") ? text : parse(text);
  } catch (error) {
    if (!(error instanceof YAMLError)) throw error;
    return [{ message: error.message.split("\n")[0]!, place: whole }];
  }
  return {
    data: keys.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value),
    locate(path, part) {
      const same = keys.findIndex((key, i) => key !== String(path[i]));
      const depth = same < 0 ? Math.min(keys.length, path.length) : same;
      if (depth === 0) return undefined;
      if (part === "value" && depth >= keys.length) {
        return { place: { ...whole, column: 6 + equals + 1, length: Math.max(1, text.length) }, depth };
      }
      const before = keys.slice(0, depth - 1).reduce((sum, key) => sum + key.length + 1, 0);
      return { place: { ...whole, column: 6 + before, length: keys[depth - 1]!.length }, depth };
    },
  };
}
