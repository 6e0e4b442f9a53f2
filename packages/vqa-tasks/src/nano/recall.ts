// Exercises before tools in context, without a picture: say again what the prompt says. First names alone, then which name each definition has.
import type { Environment, PromptBlock } from "@iapo/rollout-trace";
import { glossaryLine } from "../environment/prompts.ts";
import { VqaTasksError } from "../error.ts";
import { RandomStream } from "../random.ts";
import type { VisualContent, VisualTask } from "../task.ts";
import { canNameTools, toolNames } from "./aliases.ts";
import type { NanoCharts } from "./charts.ts";
import type { Copy } from "./demonstrations.ts";
import { type NanoSplit, nanoSplits } from "./tables.ts";

export interface Lookup {
  /** Whose definitions stand before the query. */
  readonly task: VisualTask;
  readonly query: string;
  readonly text: string;
}

/** Lines of a drawn lookup: more than there are definitions, so that no name is told by what was not yet listed. */
const DRAWN_LINES = 12;

/** Chain `index`: 8 to 24 names, of any split, run together as one word; and again. They are of a capital and small letters, so that a tokenizer that knows them parts them. */
export function chain(charts: NanoCharts, index: number): Copy {
  const random = new RandomStream(charts.options.seed, "nano-chains", index);
  const names = nanoSplits.flatMap((split) => charts.names[split]).filter((name) => /^[A-Z][a-z]+$/.test(name));
  const chained = random.sample(names, random.integer(8, 24)).join("");
  return { query: `${chained}\nList the names.\n`, text: `${chained}\n` };
}

/**
 * Lookup `index`: the tools of a training chart under names of a split, and their definitions again. `usual`: each once, in the order of the full prompt
 * whatever that of the definitions is; `drawn`: lines that are each any of them.
 *
 * @throws VqaTasksError `invalid_config` for charts whose tools are fixed
 */
export async function lookup(
  charts: NanoCharts,
  split: NanoSplit,
  index: number,
  order: "usual" | "drawn",
): Promise<Lookup> {
  const { task } = await charts.chart("train", index);
  const tools = task.content.aliases;
  if (tools === undefined)
    throw new VqaTasksError("invalid_config", "lookups are of tools in context: set nanoCharts.tools to in_context");
  const random = new RandomStream(charts.options.seed, `nano-lookups/${split}`, index);
  const names = random.sample(charts.names[split].filter(canNameTools), tools.length);
  const aliases = tools.map(({ tool }, place) => ({ tool, name: names[place]! }));
  const listed =
    order === "usual"
      ? [...aliases].sort((a, b) => toolNames.indexOf(a.tool) - toolNames.indexOf(b.tool))
      : Array.from({ length: DRAWN_LINES }, () => random.pick(aliases));
  return {
    task: { ...task, content: { ...task.content, aliases } },
    query: "List the functions.\n",
    text: listed.map(glossaryLine).join(""),
  };
}

/** What is asked in a lookup: definitions, as the environment words them, and the query. */
export function lookupBlocks(
  environment: Pick<Environment<VisualContent>, "prompt">,
  { task, query }: Pick<Lookup, "task" | "query">,
): PromptBlock[] {
  const definitions = environment.prompt(task).filter(({ kind }) => kind === "tool");
  return [...definitions, { id: "query", kind: "query", text: query }];
}
