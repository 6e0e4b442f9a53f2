// Names of tools that hold for one chart alone: what each does is told by its definition in the prompt.
import { defaultToolOptions, focusTools, type ToolAlias } from "@iapo/visual-tools";
import { RandomStream } from "../random.ts";
import type { NanoSplit } from "./tables.ts";

/** In the order of the full prompt. */
export const toolNames: readonly string[] = focusTools(defaultToolOptions).map(({ name }) => name);

/** Whether programs can call something by this name. */
export function canNameTools(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

export interface ChartPlace {
  readonly seed: number;
  readonly split: NanoSplit;
  readonly index: number;
}

/** The six tools in random order, each under a name of the split that is none of `shown`. */
export function aliasesOf(
  { seed, split, index }: ChartPlace,
  names: readonly string[],
  shown: readonly string[],
): ToolAlias[] {
  const random = new RandomStream(seed, `nano-tools/${split}`, index);
  const free = names.filter((name) => canNameTools(name) && !shown.includes(name));
  const drawn = random.sample(free, toolNames.length);
  return random.sample(toolNames, toolNames.length).map((tool, place) => ({ tool, name: drawn[place]! }));
}
