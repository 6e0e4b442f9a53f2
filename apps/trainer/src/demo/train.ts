// Supervised training of a nano model, from random weights, on demonstrations of chart questions: two turns with the tool between them.
import { baseDirectory } from "@iapo/nano-vl";
import {
  encodeContinuation,
  encodeConversation,
  initializeWeights,
  joinSequences,
  optimizerOf,
  type PromptGroup,
  packGroups,
  QwenVLModel,
  trainableParameters,
  trainStep,
  turnSequence,
} from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
import { type Device, deriveSeed, mean, negate } from "@iapo/tensor-core";
import {
  createEnvironment,
  createNanoCharts,
  demonstrate,
  type EarlierTurn,
  type Environment,
  type NanoCharts,
} from "@iapo/vqa-tasks";
import { blockContent } from "../slice/content.ts";

const CHARTS_PER_STEP = 4;
const LEARNING_RATE = 3e-3;
const WARM_UP_STEPS = 10;

export interface Training {
  /** One step; the mean negative log-prob of the demonstrated tokens before it. */
  step(): Promise<number>;
  dispose(): void;
}

export async function startTraining(device: Device, seed: number): Promise<Training> {
  const config = await loadConfig(baseDirectory);
  const processor = await loadProcessor(baseDirectory);
  const charts = await createNanoCharts({ seed });
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const weights = initializeWeights(device, config, deriveSeed("demo", seed), { trainable: () => true });
  const model = new QwenVLModel(config, weights);
  const optimizer = optimizerOf(trainableParameters(model), { betas: [0.9, 0.98], weightDecay: 0.05 });
  let done = 0;
  return {
    async step() {
      const groups: PromptGroup[] = [];
      for (let i = 0; i < CHARTS_PER_STEP; i++) {
        groups.push(await demonstrationGroup(processor, environment, charts, done * CHARTS_PER_STEP + i));
      }
      const learningRate = LEARNING_RATE * Math.min(1, ++done / WARM_UP_STEPS);
      using loss = trainStep(model, optimizer, packGroups(config, groups), ({ logProb }) => negate(mean(logProb)), {
        learningRate,
      });
      return loss.item();
    },
    dispose() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** A demonstration as a prompt and one response: its turns are learnt, the tool's answer between them is read. */
async function demonstrationGroup(
  processor: Processor,
  environment: Environment,
  charts: NanoCharts,
  index: number,
): Promise<PromptGroup> {
  const { task, turns } = await demonstrate(charts, "train", index);
  const prompt = await encodeConversation(processor, [
    { role: "user", content: environment.prompt(task).map(blockContent) },
  ]);
  const end = processor.config.tokens.eos[0]!;
  const parts: Parameters<typeof joinSequences>[0][number][] = [];
  let position = prompt.nextPosition;
  const earlier: EarlierTurn[] = [];
  for (const text of turns) {
    const tokens = Int32Array.of(...processor.tokenizer.encode(text), end);
    position += tokens.length;
    parts.push({ ...turnSequence({ tokens, nextPosition: position }), target: true });
    const { next, tool } = await environment.step(task, { text }, earlier);
    earlier.push({ text, tool });
    if (!next) break;
    const content = next.blocks.map(blockContent);
    const observation = await encodeContinuation(processor, [{ role: "user", content }], { position });
    parts.push({ ...observation, target: false });
    position = observation.nextPosition;
  }
  return { prompt, responses: [joinSequences(parts)] };
}
