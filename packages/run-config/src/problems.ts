// Problems that a schema finds, as people read them: where, and what was probably meant.
import type { z } from "zod";
import { keysAt, keysOf, type SchemaNode, schemasAt } from "./json-schema.ts";
import { type Layer, locate, mergeLayers, type Path, type Problem, valueAt } from "./layer.ts";
import { nearest } from "./nearest.ts";
import { type Renamed, renamedKey, renamedValue } from "./renamed.ts";

type Issue = z.core.$ZodIssue;

/** What is known about keys. */
export interface Vocabulary {
  readonly root: SchemaNode;
  readonly renamed: readonly Renamed[];
}

/**
 * Each is described when it is shown: a hostile file has as many as it has keys.
 * @param layers the later one wins
 */
export function problemsOf(
  issues: readonly Issue[],
  layers: readonly Layer[],
  words: Vocabulary,
): readonly (() => Problem)[] {
  const data = mergeLayers(layers);
  return issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => () => unknownKey(key, issue.path, layers, words))
      : [() => wrongValue(issue, data, layers, words)],
  );
}

function unknownKey(key: string, path: Path, layers: readonly Layer[], words: Vocabulary): Problem {
  const within = path.length === 0 ? "" : ` in ${path.join(".")}`;
  return {
    message: `unknown key ${JSON.stringify(key)}${within}`,
    place: locate([...path, key], "key", layers)?.place,
    advice: adviceForKey(key, path, words),
  };
}

function wrongValue(issue: Issue, data: unknown, layers: readonly Layer[], words: Vocabulary): Problem {
  const { path } = issue;
  const name = path.join(".");
  const place = locate(path, "value", layers)?.place;
  const given = valueAt(data, path);
  if ((given ?? undefined) === undefined && issue.code !== "custom")
    return { message: `${name || "the configuration"} is missing`, place };
  const subject = name === "" ? "" : `${name}: `;
  return { message: `${subject}${wordsOf(issue, given)}`, place, advice: adviceForValue(given, path, words) };
}

function wordsOf(issue: Issue, given: unknown): string {
  if (issue.code === "invalid_type" && issue.expected === "number" && isNotFinite(given))
    return `expected a finite number, received ${given}`;
  const own = issue.message.replace(/^Invalid (input|option): /, "").replace(/^expected one of/, "it must be one of");
  if (issue.code !== "invalid_union" || own !== "Invalid input") return own;
  return [...new Set(issue.errors.flatMap(([first]) => (first ? [wordsOf(first, given)] : [])))].join(", or ");
}

/** Also where YAML, which writes `.nan` and `.inf`, reads another way of writing it as a text. */
function isNotFinite(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return typeof value === "string" && /^[-+]?(nan|inf|infinity)$/i.test(value);
}

/** Its new name, a known key of nearly that name here, or the same key elsewhere. */
function adviceForKey(key: string, path: Path, { root, renamed }: Vocabulary): string | undefined {
  const within = path.join(".");
  const now = renamedKey(renamed, [...path, key].join("."));
  if (now !== undefined) {
    const isHere = now.startsWith(within === "" ? "" : `${within}.`) && now.split(".").length === path.length + 1;
    return `it is called ${isHere ? JSON.stringify(now.split(".").at(-1)) : now} now`;
  }
  const known = keysAt(root, path);
  const near = nearest(key, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  const elsewhere = keysOf(root).find((other) => other.path.split(".").at(-1) === key);
  if (elsewhere !== undefined)
    return `it belongs to ${elsewhere.path.split(".").slice(0, -1).join(".") || "the top level"}`;
  return known.length > 0 ? `known here: ${known.join(", ")}` : undefined;
}

function adviceForValue(value: unknown, path: Path, { root, renamed }: Vocabulary): string | undefined {
  if (typeof value !== "string") return undefined;
  const now = renamedValue(renamed, path.join("."), value);
  if (now !== undefined) return `it is called ${JSON.stringify(now)} now`;
  const words = schemasAt(root, path)
    .flatMap((schema) => schema.enum ?? [])
    .filter((word) => typeof word === "string");
  const near = nearest(value, words);
  return near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`;
}
