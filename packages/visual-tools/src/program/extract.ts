// Cuts the tool program out of a model's response (docs/method.md B.3).
import type { Extraction } from "../options.ts";
import { findProgram, hasProgramWord } from "./fences.ts";

const fence = "```";
const opening = "```python";

const directAnswer = /\b(?:FINAL ANSWER|ANSWER)\s*:/i;

export type Extracted =
  | { readonly kind: "no_tool" }
  | { readonly kind: "program"; readonly code: string }
  | { readonly kind: "malformed"; readonly code: "unclosed_fence" | "empty_program"; readonly message: string };

/**
 * `plain`: the first fenced block that is meant as a tool program ({@link findProgram}), without the indentation that all of its lines share.
 * `vtool_v1`, `vtool_v2`: as published, what follows the first "```python". Markdown's escaped underscores are undone; the published parsers then
 * delete every other backslash too. Linear in the length of the response.
 *
 * @param toolNames names that, beside the usual ones, show that a block is meant as a tool program
 */
export function extractProgram(response: string, extraction: Extraction, toolNames: readonly string[]): Extracted {
  const unescaped = response.replaceAll("\\_", "_");
  return extraction === "plain" ? plainProgram(unescaped, toolNames) : published(unescaped, extraction, toolNames);
}

function plainProgram(text: string, toolNames: readonly string[]): Extracted {
  const found = findProgram(text, toolNames);
  if (found === undefined) return { kind: "no_tool" };
  const code = text.slice(found.start, found.end);
  if (!found.closed) return directAnswer.test(code) ? { kind: "no_tool" } : unclosed;
  return code.trim() === "" ? empty : { kind: "program", code: dedented(code) };
}

function published(
  unescaped: string,
  extraction: Exclude<Extraction, "plain">,
  toolNames: readonly string[],
): Extracted {
  const text = unescaped.replaceAll("\\", "");
  const start = text.indexOf(opening);
  if (start === -1) return { kind: "no_tool" };
  const from = start + opening.length;
  const end = text.indexOf(fence, from);
  const code = text.slice(from, end === -1 ? undefined : end);
  if (extraction === "vtool_v2") {
    const isBlank = code.trim() === "";
    if (!isBlank && !hasProgramWord(code, toolNames)) return { kind: "no_tool" };
    if (end === -1 && directAnswer.test(code)) return { kind: "no_tool" };
    if (end !== -1 && isBlank) return empty;
  }
  if (end === -1) return unclosed;
  return code === "" ? empty : { kind: "program", code };
}

const unclosed: Extracted = {
  kind: "malformed",
  code: "unclosed_fence",
  message: "the Python block is not closed by ```",
};
const empty: Extracted = { kind: "malformed", code: "empty_program", message: "the Python block is empty" };

/** Without the white space that all lines which hold something begin with, as in an item of a list. */
function dedented(code: string): string {
  const lines = code.split("\n");
  let shared: string | undefined;
  for (const line of lines) {
    if (line.trim() === "") continue;
    const indent = /^[ \t]*/.exec(line)?.[0] ?? "";
    shared = shared === undefined ? indent : commonStart(shared, indent);
    if (shared === "") return code;
  }
  const drop = shared?.length ?? 0;
  return lines.map((line) => (line.trim() === "" ? line.trimStart() : line.slice(drop))).join("\n");
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a.charAt(length) === b.charAt(length)) length += 1;
  return a.slice(0, length);
}

/**
 * A response cut after its last closed fence: what `vtool_v1` keeps of the first turn when it builds the second prompt.
 * Unchanged where there are fewer than two fences.
 */
export function trimToProgramEnd(response: string): string {
  const last = response.lastIndexOf(fence);
  // A negative position would search at 0 all the same.
  if (last < fence.length || response.lastIndexOf(fence, last - fence.length) === -1) return response;
  return response.slice(0, last + fence.length);
}
