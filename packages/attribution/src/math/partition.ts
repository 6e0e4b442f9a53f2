// Which tokens of a prompt are scored together (docs/method.md F13).
import type { ImageRef, PromptBlock } from "@iapo/rollout-trace";
import { AttributionError } from "../error.ts";

/** Units of a prompt: every token belongs to one or to none. */
export interface Partition {
  /** Unique. */
  readonly names: readonly string[];
  /** [tokens] index into `names`, or -1 for tokens that are not scored (the chat template's). */
  readonly unitOfToken: Int16Array;
}

/**
 * `per_tool` (default of the method): one unit per tool definition, one for each other kind of block (query, image, context, ...).
 * `by_type`: one unit per kind. `tool_groups`: as `per_tool`, with tools taken together as `groups` says; a tool in no group stands alone.
 * `contiguous`: as `per_tool`, but a stretch that others interrupt is a unit of its own, named `context`, `context.2`, ...
 */
export type PartitionOptions =
  | { readonly kind: "per_tool" | "by_type" | "contiguous" }
  | { readonly kind: "tool_groups"; readonly groups: Readonly<Record<string, readonly string[]>> };

/**
 * The units of a prompt in the order of their blocks. `blockOfToken` points into `blocks`, -1 for tokens of none. Every block has a unit,
 * also one without tokens, so that prompts of one form have the same units.
 * @throws AttributionError `shape` for a token that points to no block, `argument` for a tool in two groups
 */
export function partition(
  blocks: readonly PromptBlock<ImageRef>[],
  blockOfToken: ArrayLike<number>,
  options: PartitionOptions = { kind: "per_tool" },
): Partition {
  const unitOfBlock = unitNames(blocks, options);
  const names = [...new Set(unitOfBlock)];
  const unitOfToken = Int16Array.from(blockOfToken, (block) => {
    if (block === -1) return -1;
    const name = unitOfBlock[block];
    if (name === undefined) throw new AttributionError("shape", `block ${block} is not one of ${blocks.length} blocks`);
    return names.indexOf(name);
  });
  return { names, unitOfToken };
}

/** Tokens of each unit, ascending. @throws AttributionError `shape` for a token of a unit without a name */
export function tokensOfUnits({ names, unitOfToken }: Partition): number[][] {
  const tokens: number[][] = names.map(() => []);
  unitOfToken.forEach((unit, token) => {
    if (unit < 0) return;
    const own = tokens[unit];
    if (!own)
      throw new AttributionError("shape", `token ${token} is of unit ${unit}, and there are ${names.length} units`);
    own.push(token);
  });
  return tokens;
}

function unitNames(blocks: readonly PromptBlock<ImageRef>[], options: PartitionOptions): string[] {
  const { kind } = options;
  if (kind === "by_type") return blocks.map((block) => block.kind);
  const groups = kind === "tool_groups" ? groupOfTools(options.groups) : new Map<string, string>();
  const names = blocks.map((block) => {
    if (block.kind !== "tool") return block.kind;
    const tool = block.tool ?? block.id;
    return `tool:${groups.get(tool) ?? tool}`;
  });
  return kind === "contiguous" ? numberedRuns(names) : names;
}

function groupOfTools(groups: Readonly<Record<string, readonly string[]>>): Map<string, string> {
  const groupOf = new Map<string, string>();
  for (const [group, tools] of Object.entries(groups)) {
    for (const tool of tools) {
      if (groupOf.has(tool)) {
        throw new AttributionError("argument", `tool ${tool} is in two groups: ${groupOf.get(tool)} and ${group}`);
      }
      groupOf.set(tool, group);
    }
  }
  return groupOf;
}

function numberedRuns(names: readonly string[]): string[] {
  const runs = new Map<string, number>();
  let current = "";
  return names.map((name, i) => {
    if (name !== names[i - 1]) {
      const run = (runs.get(name) ?? 0) + 1;
      runs.set(name, run);
      current = run === 1 ? name : `${name}.${run}`;
    }
    return current;
  });
}
