// What small models learn nano-charts from: captions, copies, charts under other names, chains of names, lookups of tools and whole episodes, each a
// pure function of its number.
import { type TaskSource, transcribeEpisode } from "@iapo/grpo";
import type { Environment, Scribe, Trajectory, TurnInput } from "@iapo/rollout-trace";
import { deriveSeed, randomWords, uniformOf } from "@iapo/tensor-core";
import {
  type Copy,
  caption,
  chain,
  copy,
  demonstrate,
  lookup,
  lookupBlocks,
  type NanoCharts,
  type NanoSplit,
  renamed,
} from "@iapo/vqa-tasks/nano";

export interface ExampleOptions {
  readonly scribe: Scribe;
  /** With the quality of their demonstrations. */
  readonly charts: NanoCharts;
  readonly environment: Environment;
  readonly seed: number;
  /** Other names draw other examples. */
  readonly name: string;
  /** Shares of the examples; the rest is whole episodes. `edited`: of the captions, those of pictures that a tool has edited. */
  readonly mixture: {
    readonly captions: number;
    readonly edited?: number | undefined;
    readonly copies: number;
    readonly renamed?: number | undefined;
    /** Of tools in context: each definition once, in the usual order; and any of them on each line. */
    readonly glossaries?: number | undefined;
    readonly lookups?: number | undefined;
    /** Of names that may be those of tools. */
    readonly chains?: number | undefined;
  };
  readonly length: number;
}

/**
 * Examples to imitate. Names of held-out charts occur in copies, which have no picture, and in the place of a training chart's names: their
 * embeddings must be learned somewhere, and that a picture of known bars may be asked about any name. No held-out chart is ever seen.
 */
export function chartExamples(options: ExampleOptions): TaskSource<Trajectory> {
  const { scribe, charts, environment, seed, name, mixture, length } = options;
  const { captions, edited, copies, renamed: others = 0, lookups = 0, glossaries = 0, chains = 0 } = mixture;
  const looked = async (split: NanoSplit, index: number, order: "usual" | "drawn"): Promise<Trajectory> => {
    const exercise = await lookup(charts, split, index, order);
    return written(scribe, lookupBlocks(environment, exercise), exercise.text);
  };
  const copied = ({ query, text }: Copy): Trajectory =>
    written(scribe, [{ id: "query", kind: "query", text: query }], text);
  return {
    length,
    async task(index) {
      const [kind = 0, place = 0] = Array.from(randomWords(2, deriveSeed(seed, "examples", name, index)), uniformOf);
      const split = place < 0.6 ? "train" : place < 0.8 ? "validation" : "test";
      if (kind < captions) {
        const { image, text } = await caption(charts, "train", index, { edited });
        return written(scribe, [{ id: "image", kind: "image", image }], text);
      }
      if (kind < captions + copies) return copied(copy(charts, split, index));
      if (kind < captions + copies + others) {
        const { task, text } = await renamed(charts, split, index);
        return written(scribe, environment.prompt(task), text);
      }
      if (kind < captions + copies + others + lookups) return looked(split, index, "drawn");
      if (kind < captions + copies + others + lookups + glossaries) return looked(split, index, "usual");
      if (kind < captions + copies + others + lookups + glossaries + chains) return copied(chain(charts, index));
      const { task, turns } = await demonstrate(charts, "train", index);
      return transcribeEpisode(scribe, environment, task, turns);
    },
  };
}

function written(scribe: Scribe, blocks: TurnInput["blocks"], text: string): Trajectory {
  return { turns: [scribe.transcribe({ freshPrompt: true, blocks }, text)] };
}
