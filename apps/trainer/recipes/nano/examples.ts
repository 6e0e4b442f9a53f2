// What the nano models learn from: captions, copies and whole episodes of nano-charts, each a pure function of its number.
import { type Environment, type Scribe, type TaskSource, transcribeEpisode, type Written } from "@iapo/grpo";
import { deriveSeed, randomWords, uniformOf } from "@iapo/tensor-core";
import { caption, copy, createEnvironment, createNanoCharts, demonstrate, type NanoCharts } from "@iapo/vqa-tasks";
import type { Stage } from "./stages.ts";

/** Bars have names of one word, which are one token each; the prompt is the short one. */
export async function nanoWorld(
  seed: number,
  quality?: Stage["quality"],
): Promise<{ charts: NanoCharts; environment: Environment }> {
  const charts = await createNanoCharts({ seed, names: "words", ...(quality && { quality }) });
  return { charts, environment: createEnvironment({ options: { prompt: "compact" } }) };
}

/**
 * Examples of a stage. Names of held-out charts occur in copies, which have no picture: their embeddings must be learnt somewhere. No chart and
 * no question of a held-out split is ever seen.
 */
export async function stageExamples(scribe: Scribe, seed: number, stage: Stage): Promise<TaskSource<Written>> {
  const { charts, environment } = await nanoWorld(seed, stage.quality);
  const { captions, copies } = stage.mixture;
  return {
    length: stage.steps * stage.batch,
    async task(index) {
      const words = randomWords(2, deriveSeed(seed, "examples", stage.name, index));
      const [kind, split] = [uniformOf(words[0]!), uniformOf(words[1]!)];
      if (kind < captions) {
        const { image, text } = await caption(charts, "train", index);
        return written(scribe, { id: "image", kind: "image", image }, text);
      }
      if (kind < captions + copies) {
        const { query, text } = copy(charts, split < 0.6 ? "train" : split < 0.8 ? "validation" : "test", index);
        return written(scribe, { id: "query", kind: "query", text: query }, text);
      }
      const { task, turns } = await demonstrate(charts, "train", index);
      return transcribeEpisode(scribe, environment, task, turns);
    },
  };
}

function written(scribe: Scribe, block: Parameters<Scribe["transcribe"]>[0]["blocks"][number], text: string): Written {
  return { turns: [scribe.transcribe({ freshPrompt: true, blocks: [block] }, text)] };
}
