// The blocks that open an episode.
import type { PromptBlock } from "@iapo/rollout-trace";
import {
  defaultTemplate,
  parseTemplate,
  type TemplatePart,
  type Tool,
  type ToolTemplate,
  toolPrompt,
} from "@iapo/visual-tools";
import type { VisualContent } from "../task.ts";
import type { EnvironmentOptions } from "./options.ts";

/** One line for each of the six tools. Names stand apart from punctuation, so that a tokenizer cuts them as in a call. */
const compactTemplate: ToolTemplate = parseTemplate(`[[context]]
Focus on the bars of the question, then answer.
[[tool focus_on_columns_with_highlight]]
focus_on_columns_with_highlight ( image_1, names, columns_bbox ) tints columns
[[tool focus_on_rows_with_highlight]]
focus_on_rows_with_highlight ( image_1, names, rows_bbox ) tints rows
[[tool focus_on_columns_with_mask]]
focus_on_columns_with_mask ( image_1, names, columns_bbox ) hides other columns
[[tool focus_on_rows_with_mask]]
focus_on_rows_with_mask ( image_1, names, rows_bbox ) hides other rows
[[tool focus_on_columns_with_draw]]
focus_on_columns_with_draw ( image_1, names, columns_bbox ) frames columns
[[tool focus_on_rows_with_draw]]
focus_on_rows_with_draw ( image_1, names, rows_bbox ) frames rows
[[image]]
[[query]]
{columns}
{question}
[[observation]]
Edited.
[[failure]]
Failed.
`);

/** @param own in place of the option `prompt` */
export function templateOf(
  { prompt, questionFirst }: EnvironmentOptions,
  tools: readonly Tool[],
  own: ToolTemplate | undefined,
): ToolTemplate {
  const template = own ?? (prompt === "compact" ? compactTemplateOf(tools) : defaultTemplate);
  if (!questionFirst) return template;
  const ofQuestion = (kind: string): boolean => kind === "image" || kind === "query";
  const parts = [...template.parts].sort((a, b) => Number(ofQuestion(b.kind)) - Number(ofQuestion(a.kind)));
  return { ...template, parts };
}

/** A line for each of the six that is among the tools; others are described as they describe themselves. */
function compactTemplateOf(tools: readonly Tool[]): ToolTemplate {
  const { parts } = compactTemplate;
  const known = new Map(parts.flatMap((part) => (part.kind === "tool" ? [[part.tool, part] as const] : [])));
  const first = parts.findIndex(({ kind }) => kind === "tool");
  const described = tools.map(
    ({ name, promptBlock }): TemplatePart => known.get(name) ?? { kind: "tool", tool: name, text: promptBlock },
  );
  const rest = parts.slice(first).filter(({ kind }) => kind !== "tool");
  return { ...compactTemplate, parts: [...parts.slice(0, first), ...described, ...rest] };
}

/** The compact prompt names bars in one list, so that a chart's axis is to be seen in the picture alone. */
export function openingBlocks(
  content: VisualContent,
  tools: readonly Tool[],
  template: ToolTemplate,
  prompt: EnvironmentOptions["prompt"],
): PromptBlock[] {
  const input =
    prompt === "compact" ? { ...content, columns: [...content.columns, ...content.rows], rows: [] } : content;
  return toolPrompt(input, tools, template);
}
