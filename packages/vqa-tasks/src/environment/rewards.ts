// What a tool call was worth, apart from the answer: parts for ToRL's and TRM's rewards and for metrics (method.md C.3, G).
import type { ToolOutcome } from "@iapo/rollout-trace";
import type { Tool } from "@iapo/visual-tools";
import type { VisualContent } from "../task.ts";

export interface RewardParts {
  /** A program was written, whatever became of it. */
  readonly tool_call: 0 | 1;
  /** It showed an image. */
  readonly tool_success: 0 | 1;
  /** A tool of the axis that the chart does not have was called. Always 0 for tables. */
  readonly tool_misuse: 0 | 1;
  /** The calls asked for exactly the columns and rows that the question names, whatever the axis. */
  readonly tool_names: 0 | 1;
  /** The image shown differs from the original. */
  readonly tool_changed: 0 | 1;
}

/** @param tools those that programs could call: a tool says which axis it is for */
export function rewardParts(
  content: Omit<VisualContent, "image">,
  tool: ToolOutcome,
  tools: readonly Pick<Tool, "name" | "axis">[],
): RewardParts {
  const { orientation } = content;
  const axes = new Map(tools.map(({ name, axis }) => [name, axis]));
  const misused =
    orientation !== undefined && tool.tools.some((name) => (axes.get(name) ?? orientation) !== orientation);
  return {
    tool_call: tool.status === "no_tool" ? 0 : 1,
    tool_success: tool.status === "ok" ? 1 : 0,
    tool_misuse: misused ? 1 : 0,
    tool_names: asksForNamed(content, tool) ? 1 : 0,
    tool_changed: tool.changed ? 1 : 0,
  };
}

/** On the wrong axis of a chart no name has a box, so unknown names count as asked for. */
function asksForNamed(content: Omit<VisualContent, "image">, tool: ToolOutcome): boolean {
  const named = namesInQuestion(content);
  const asked = new Set([...tool.keys, ...tool.unknownKeys].map(composed));
  return asked.size === named.length && named.length > 0 && named.every((name) => asked.has(composed(name)));
}

/** Names of columns and rows that the question holds as whole words, the longest first: "St Louis" is not "St". */
export function namesInQuestion({
  question,
  columns,
  rows,
}: Pick<VisualContent, "question" | "columns" | "rows">): string[] {
  const names = [...new Set([...columns, ...rows].map((box) => box.name))].sort((a, b) => b.length - a.length);
  let rest = composed(question);
  return names.filter((name) => {
    const words = composed(name);
    const at = indexOfWords(rest, words);
    if (at < 0) return false;
    rest = `${rest.slice(0, at)}\n${rest.slice(at + words.length)}`;
    return true;
  });
}

/** As prompts are encoded: é is one character however it was written. */
const composed = (text: string): string => text.normalize("NFC");

function indexOfWords(text: string, words: string): number {
  const isPartOfWord = (character: string): boolean => /[\p{L}\p{N}]/u.test(character);
  let at = text.indexOf(words);
  while (at >= 0) {
    const before = text.slice(0, at).at(-1) ?? " ";
    const after = text.charAt(at + words.length);
    if (!isPartOfWord(before) && !isPartOfWord(after)) return at;
    at = text.indexOf(words, at + 1);
  }
  return -1;
}
