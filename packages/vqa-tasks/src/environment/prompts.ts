// The blocks that open an episode.
import type { PromptBlock } from "@iapo/rollout-trace";
import {
  defaultTemplate,
  parseTemplate,
  type TemplatePart,
  type Tool,
  type ToolAlias,
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

/** What a tool does stands before the name that it has for one task, as in a glossary; that all are called alike is known. */
const glossary: ToolTemplate = {
  ...compactTemplate,
  parts: compactTemplate.parts.map((part) =>
    part.kind === "tool" ? { ...part, text: glossaryLine({ tool: part.tool, name: "{name}" }) } : part,
  ),
};

/** The compact prompt's definition of one of the six under another name. */
export function glossaryLine({ tool, name }: ToolAlias): string {
  return `${tool}: ${name}\n`;
}

export interface PromptTemplates {
  readonly usual: ToolTemplate;
  /** Of tasks whose tools have names of their own. */
  readonly aliased: ToolTemplate;
}

/** @param own in place of the option `prompt` */
export function templatesOf(
  { prompt, questionFirst }: EnvironmentOptions,
  tools: readonly Tool[],
  own: ToolTemplate | undefined,
): PromptTemplates {
  const of = (compact: ToolTemplate): ToolTemplate => {
    const template = own ?? (prompt === "compact" ? compactTemplateOf(compact, tools) : defaultTemplate);
    return questionFirst ? withQuestionFirst(template) : template;
  };
  return { usual: of(compactTemplate), aliased: of(glossary) };
}

function withQuestionFirst(template: ToolTemplate): ToolTemplate {
  const ofQuestion = (kind: string): boolean => kind === "image" || kind === "query";
  const parts = [...template.parts].sort((a, b) => Number(ofQuestion(b.kind)) - Number(ofQuestion(a.kind)));
  return { ...template, parts };
}

/** A line for each of the six that is among the tools; others are described as they describe themselves. */
function compactTemplateOf(template: ToolTemplate, tools: readonly Tool[]): ToolTemplate {
  const { parts } = template;
  const known = new Map(parts.flatMap((part) => (part.kind === "tool" ? [[part.tool, part] as const] : [])));
  const first = parts.findIndex(({ kind }) => kind === "tool");
  const described = tools.map(
    ({ name, promptBlock }): TemplatePart => known.get(name) ?? { kind: "tool", tool: name, text: promptBlock },
  );
  const rest = parts.slice(first).filter(({ kind }) => kind !== "tool");
  return { ...template, parts: [...parts.slice(0, first), ...described, ...rest] };
}

/** The compact prompt names bars in one list, so that a chart's axis is to be seen in the picture alone. */
export function openingBlocks(
  content: VisualContent,
  tools: readonly Tool[],
  { usual, aliased }: PromptTemplates,
  prompt: EnvironmentOptions["prompt"],
): PromptBlock[] {
  const input =
    prompt === "compact" ? { ...content, columns: [...content.columns, ...content.rows], rows: [] } : content;
  return toolPrompt(input, tools, content.aliases === undefined ? usual : aliased);
}
