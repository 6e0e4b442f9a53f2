// The blocks that open an episode.
import type { PromptBlock } from "@iapo/rollout-trace";
import {
  defaultTemplate,
  type Orientation,
  parseTemplate,
  type TemplatePart,
  type Tool,
  type ToolAlias,
  type ToolTemplate,
  toolPrompt,
} from "@iapo/visual-tools";
import type { VisualContent } from "../task.ts";
import type { EnvironmentOptions } from "./options.ts";

/** What each of the six does, in the order of their definitions. */
const compactEffects: readonly (readonly [tool: string, axis: Orientation, effect: string])[] = [
  ["focus_on_columns_with_highlight", "columns", "tints columns"],
  ["focus_on_rows_with_highlight", "rows", "tints rows"],
  ["focus_on_columns_with_mask", "columns", "hides other columns"],
  ["focus_on_rows_with_mask", "rows", "hides other rows"],
  ["focus_on_columns_with_draw", "columns", "frames columns"],
  ["focus_on_rows_with_draw", "rows", "frames rows"],
];

/** With one line for each of the six tools. */
const compactTemplate = (definition: (...of: (typeof compactEffects)[number]) => string): ToolTemplate =>
  parseTemplate(`[[context]]
Focus on the bars of the question, then answer.
${compactEffects.map((of) => `[[tool ${of[0]}]]\n${definition(...of)}\n`).join("")}[[image]]
[[query]]
{columns}
{question}
[[observation]]
Edited.
[[failure]]
Failed.
`);

/** Names stand apart from punctuation, so that a tokenizer cuts them as in a call. */
const compact = compactTemplate((tool, axis, effect) => `${tool} ( image_1, names, ${axis}_bbox ) ${effect}`);
/** Names that mean nothing of themselves stand behind what they do, as in a glossary; that all are called alike is known. */
const compactGlossary = compactTemplate((tool) => compactDefinition({ tool, name: tool }).trimEnd());

/** The line that the compact prompt has for one of the six under another name. */
export function compactDefinition({ tool, name }: ToolAlias): string {
  const effect = compactEffects.find(([known]) => known === tool)?.[2];
  if (effect === undefined) throw new Error(`${tool} is none of the six tools`);
  return `${effect}: ${name}\n`;
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
  const of = (short: ToolTemplate): ToolTemplate => {
    const template = own ?? (prompt === "compact" ? compactTemplateOf(short, tools) : defaultTemplate);
    return questionFirst ? withQuestionFirst(template) : template;
  };
  return { usual: of(compact), aliased: of(compactGlossary) };
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
