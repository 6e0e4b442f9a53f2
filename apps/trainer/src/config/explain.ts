// Problems of a configuration as people read them: where, the line itself with a caret, and what was probably meant.
import type { z } from "zod";
import { keysAt, placesOf, schemasAt } from "./json-schema.ts";
import type { Layer, Path, Place, Problem } from "./layer.ts";
import { nearest } from "./nearest.ts";

type Issue = z.core.$ZodIssue;

const MOST_SHOWN = 5;
const WIDEST_LINE = 110;

/** @param layers the later one wins */
export function problemsOf(issues: readonly Issue[], layers: readonly Layer[]): Problem[] {
  const data = mergeLayers(layers);
  return issues.flatMap((issue) => describe(issue, data, layers));
}

function describe(issue: Issue, data: unknown, layers: readonly Layer[]): Problem[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      message: `unknown key ${JSON.stringify(key)}${path.length > 0 ? ` in ${path.join(".")}` : ""}`,
      place: locate([...path, key], "key", layers),
      advice: adviceForKey(key, path),
    }));
  }
  const place = locate(path, "value", layers);
  const name = path.join(".");
  const given = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], data);
  if ((given ?? undefined) === undefined && issue.code !== "custom")
    return [{ message: `${name || "the configuration"} is missing`, place }];
  const subject = name === "" ? "" : `${name}: `;
  return [{ message: `${subject}${wordsOf(issue)}`, place, advice: adviceForValue(given, path) }];
}

function wordsOf(issue: Issue): string {
  const own = issue.message.replace(/^Invalid (input|option): /, "").replace(/^expected one of/, "it must be one of");
  if (issue.code !== "invalid_union" || own !== "Invalid input") return own;
  return [...new Set(issue.errors.flatMap(([first]) => (first ? [wordsOf(first)] : [])))].join(", or ");
}

/** A known key of nearly that name here, or the same key elsewhere. */
function adviceForKey(key: string, path: Path): string | undefined {
  const known = keysAt(path);
  const near = nearest(key, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  const [elsewhere] = placesOf(key);
  if (elsewhere !== undefined) return `it belongs to ${elsewhere.split(".").slice(0, -1).join(".") || "the top level"}`;
  return known.length > 0 ? `known here: ${known.join(", ")}` : undefined;
}

function adviceForValue(value: unknown, path: Path): string | undefined {
  if (typeof value !== "string") return undefined;
  const words = schemasAt(path)
    .flatMap((schema) => schema.enum ?? [])
    .filter((word) => typeof word === "string");
  const near = nearest(value, words);
  return near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`;
}

/** Where a path was written: in the last layer that holds most of it. */
export function locate(path: Path, part: "key" | "value", layers: readonly Layer[]): Place | undefined {
  let best: ReturnType<Layer["locate"]>;
  for (const layer of layers) {
    const found = layer.locate(path, part);
    if (found && found.depth >= (best?.depth ?? 0)) best = found;
  }
  return best?.place;
}

/** The layers on top of one another: mappings are merged key by key, everything else is replaced. */
export function mergeLayers(layers: readonly Layer[]): unknown {
  return layers.reduce<unknown>((below, { data }) => merge(below, data), {});
}

function merge(below: unknown, above: unknown): unknown {
  if (!isMapping(below) || !isMapping(above)) return above;
  const keys = [...new Set([...Object.keys(below), ...Object.keys(above)])];
  return Object.fromEntries(
    keys.map((key) => [
      key,
      Object.hasOwn(above, key) ? merge(Object.hasOwn(below, key) ? below[key] : undefined, above[key]) : below[key],
    ]),
  );
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * All problems, one screen at most:
 *
 *     run.yaml:3:5: unknown key "learningrate" in grpo.optimizer
 *        3 |     learningrate: 1e-4
 *          |     ^^^^^^^^^^^^
 *          did you mean "learningRate"?
 */
export function report(problems: readonly Problem[]): string {
  const shown = problems.slice(0, MOST_SHOWN).map(showProblem);
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

function showProblem({ message, place, advice }: Problem): string {
  if (!place) return advice === undefined ? message : `${message}; ${advice}`;
  const { line, column, length, from } = clipped(place);
  const gutter = " ".repeat(place.label.length);
  const marked = `${" ".repeat(column - from)}${"^".repeat(length)}`;
  const lines = [`${place.name}: ${message}`, `  ${place.label} | ${line}`, `  ${gutter} | ${marked}`];
  if (advice !== undefined) lines.push(`  ${gutter}   ${advice}`);
  return lines.join("\n");
}

/** A long line is cut to the part around its caret. */
function clipped({ line, column, length }: Place): { line: string; column: number; length: number; from: number } {
  const from = column > WIDEST_LINE - 20 ? column - 20 : 0;
  // Control characters would move the caret, or the reader's terminal.
  const text = line.slice(from, from + WIDEST_LINE).replace(/\p{Cc}/gu, " ");
  return { line: text, column, length: Math.max(1, Math.min(length, text.length - (column - from))), from };
}
