/** Cuts the tool program out of a model's response (docs/method.md B.3). */
import type { Extraction } from "../options.ts";

const fence = "```";
const opening = "```python";

/** Words that make a fenced block a tool program rather than plain arithmetic. */
const programWords: readonly string[] = ["focus_on_", "display(", "image_1", "columns_bbox", "rows_bbox"];

const directAnswer = /\b(?:FINAL ANSWER|ANSWER)\s*:/i;

export type Extracted =
  | { readonly kind: "no_tool" }
  | { readonly kind: "program"; readonly code: string }
  | { readonly kind: "malformed"; readonly code: "unclosed_fence" | "empty_program"; readonly message: string };

/**
 * The first fenced Python block. Markdown's escaped underscores are undone; the published parsers then delete every other
 * backslash too. Linear in the length of the response.
 *
 * @param toolNames names that, beside the usual ones, show that a block is meant as a tool program
 */
export function extractProgram(response: string, extraction: Extraction, toolNames: readonly string[]): Extracted {
  const unescaped = response.replaceAll("\\_", "_");
  const text = extraction === "plain" ? unescaped : unescaped.replaceAll("\\", "");
  const start = text.indexOf(opening);
  if (start === -1) return { kind: "no_tool" };
  const from = start + opening.length;
  const end = text.indexOf(fence, from);
  const code = text.slice(from, end === -1 ? undefined : end);
  if (extraction !== "vtool_v1") {
    const isBlank = code.trim() === "";
    const isProgram = [...programWords, ...toolNames].some((word) => code.includes(word));
    if (!isBlank && !isProgram) return { kind: "no_tool" };
    if (end === -1 && directAnswer.test(code)) return { kind: "no_tool" };
    if (end !== -1 && isBlank) return empty;
  }
  if (end === -1) {
    return { kind: "malformed", code: "unclosed_fence", message: "the Python block is not closed by ```" };
  }
  return code === "" ? empty : { kind: "program", code };
}

const empty: Extracted = { kind: "malformed", code: "empty_program", message: "the Python block is empty" };

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
