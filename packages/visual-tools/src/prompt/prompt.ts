// The tool prompt as typed blocks.
import type { Image, ImageRef, PromptBlock } from "@iapo/rollout-trace";
import type { Boxes } from "../boxes.ts";
import { VisualToolsError } from "../error.ts";
import type { Tool, ToolAlias } from "../tool.ts";
import { defaultTemplate } from "./default-template.ts";
import type { TemplatePart, ToolTemplate } from "./template.ts";

export type PromptInput<I extends ImageRef = Image> = {
  readonly question: string;
  readonly image: I;
  readonly columns: Boxes;
  readonly rows: Boxes;
  /** The tools that are defined, in this order and under these names; left out: all, under their own. */
  readonly aliases?: readonly ToolAlias[] | undefined;
};

/** Puts values in, in one pass: what a value holds is never read as a placeholder. */
function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? (values[name] ?? whole) : whole));
}

/** A Python list of the names; coordinates are never shown. */
const nameList = (boxes: Boxes): string => `[${boxes.map((box) => JSON.stringify(box.name)).join(", ")}]`;

/** The reason in one line: it may quote the program. */
const oneLine = (text: string): string => text.replace(/\s+/g, " ");

function partBlocks<I extends ImageRef>(
  part: TemplatePart,
  tools: readonly Tool[],
  { question, image, columns, rows }: PromptInput<I>,
): PromptBlock<I>[] {
  switch (part.kind) {
    case "tools":
      return tools.map((tool) => ({ id: `tool:${tool.name}`, kind: "tool", tool: tool.name, text: tool.promptBlock }));
    case "tool":
      return [{ id: `tool:${part.tool}`, kind: "tool", tool: part.tool, text: part.text }];
    case "image":
      return [{ id: "image", kind: "image", image }];
    case "query": {
      const values = { question, columns: nameList(columns), rows: nameList(rows) };
      return [{ id: "query", kind: "query", text: fill(part.text, values) }];
    }
    default:
      return [{ id: part.kind, kind: part.kind, text: part.text }];
  }
}

/**
 * The blocks of the first turn, in the order of the template. Ids are unique: a second context block is `context-2`.
 *
 * @param tools what `[[tools]]` stands for, usually `focusTools(options)`
 * @throws VisualToolsError `bad_tool` for an alias of a tool that the template does not define
 */
export function toolPrompt<I extends ImageRef = Image>(
  input: PromptInput<I>,
  tools: readonly Tool[],
  template: ToolTemplate = defaultTemplate,
): PromptBlock<I>[] {
  const seen = new Map<string, number>();
  const blocks = template.parts.flatMap((part) => partBlocks(part, tools, input));
  return (input.aliases === undefined ? blocks : underAliases(blocks, input.aliases)).map((block) => {
    const count = (seen.get(block.id) ?? 0) + 1;
    seen.set(block.id, count);
    return count === 1 ? block : { ...block, id: `${block.id}-${count}` };
  });
}

/** The definitions, where the first one stood, under the names that hold here. */
function underAliases<I extends ImageRef>(
  blocks: readonly PromptBlock<I>[],
  aliases: readonly ToolAlias[],
): PromptBlock<I>[] {
  const definitions = new Map(blocks.flatMap((block) => (block.kind === "tool" ? [[block.tool, block] as const] : [])));
  const renamed = aliases.map(({ tool, name }) => {
    const block = definitions.get(tool);
    if (block !== undefined) {
      const { text } = block;
      return {
        ...block,
        text: text.includes("{name}") ? text.replaceAll("{name}", name) : text.replaceAll(tool, name),
      };
    }
    throw new VisualToolsError("bad_tool", `the prompt defines no ${tool}, which is to be called ${name}`);
  });
  const first = blocks.findIndex(({ kind }) => kind === "tool");
  return blocks.flatMap((block, index) => (block.kind !== "tool" ? [block] : index === first ? renamed : []));
}

/** What follows a program that showed an image: that image, then the observation. */
export function observationBlocks<I extends ImageRef = Image>(
  image: I,
  template: ToolTemplate = defaultTemplate,
): PromptBlock<I>[] {
  return [
    { id: "edited-image", kind: "image", image },
    { id: "observation", kind: "observation", text: template.observation },
  ];
}

/** What follows a program whose names have no box; undefined where the template says nothing of it. */
export function unchangedBlocks(
  names: readonly string[],
  template: ToolTemplate = defaultTemplate,
): PromptBlock<never>[] | undefined {
  if (template.unchanged === undefined) return undefined;
  const shown = names.slice(0, 16).map((name) => JSON.stringify(oneLine(name).slice(0, 80)));
  return [{ id: "observation", kind: "observation", text: fill(template.unchanged, { names: shown.join(" or ") }) }];
}

/** What follows a program that failed. */
export function failureBlocks(reason: string, template: ToolTemplate = defaultTemplate): PromptBlock<never>[] {
  return [{ id: "observation", kind: "observation", text: fill(template.failure, { reason: oneLine(reason) }) }];
}
