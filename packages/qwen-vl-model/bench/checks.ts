// Is what was timed right? Each check gives quotients that should be 1: the least and the largest of many.
import { noGrad, record, scope } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import type { Arrays } from "../../../tools/bench/harness/types.ts";
import type { GeneratedTurn } from "../src/generation/request.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { type PackedBatch, type PromptGroup, packGroups, type Sequence } from "../src/model/pack.ts";
import { joinSequences, turnSequence } from "../src/model/response.ts";

function quotients(values: readonly number[]): Arrays {
  return { quotients: Float32Array.of(Math.min(...values), Math.max(...values)) };
}

/** Sampled tokens: their probability in the packed training forward by that at which they were sampled. */
export async function onPolicy(
  model: QwenVLModel,
  prompts: readonly Sequence[],
  turns: readonly GeneratedTurn[],
  bannedIds: readonly number[],
): Promise<Arrays> {
  const samples = turns.length / prompts.length;
  const groups = prompts.map((prompt, p): PromptGroup => {
    const own = turns.slice(p * samples, (p + 1) * samples);
    return { prompt, responses: own.map((turn) => joinSequences([{ ...turnSequence(turn), target: true }])) };
  });
  const batch = packGroups(model.config, groups);
  const values = await logProbsOf(model, batch, bannedIds);
  const sampled = turns.flatMap((turn) => [...turn.logProbs]);
  return quotients(sampled.map((value, i) => Math.exp(values[i]! - value)));
}

/** A batch's gradients against those of another packing of the same tokens: 1 plus and minus the largest difference. */
export async function sameGradients(model: QwenVLModel, batch: PackedBatch, other: PackedBatch): Promise<Arrays> {
  const got = await gradients(model, batch);
  const expected = await gradients(model, other);
  const worst = Math.max(...got.map((gradient, i) => relativeDifference(gradient, expected[i]!)));
  return quotients([1 - worst, 1 + worst]);
}

/** A batch's token probabilities by those of another packing of the same tokens. */
export async function sameProbabilities(model: QwenVLModel, batch: PackedBatch, other: PackedBatch): Promise<Arrays> {
  const [got, expected] = [await logProbsOf(model, batch), await logProbsOf(model, other)];
  return quotients([...got].map((value, i) => Math.exp(value - expected[i]!)));
}

/** The loss's slope along the gradient, from two more forward passes, by the gradient's norm. */
export async function slope(model: QwenVLModel, batch: PackedBatch): Promise<Arrays> {
  const all = await gradients(model, batch);
  const norm = Math.sqrt(all.reduce((sum, gradient) => sum + gradient.reduce((s, g) => s + g * g, 0), 0));
  const kept = await Promise.all([...model.weights].map(({ run }) => run.values() as Promise<Float32Array>));
  const lossAt = async (distance: number): Promise<number> => {
    [...model.weights].forEach(({ run }, i) => {
      run.write(kept[i]!.map((value, k) => value + (distance * all[i]![k]!) / norm));
    });
    const values = await logProbsOf(model, batch);
    return -values.reduce((sum, value) => sum + value, 0); // summed in f64
  };
  const difference = (await lossAt(STEP)) - (await lossAt(-STEP));
  await lossAt(0);
  return quotients([difference / (2 * STEP) / norm]);
}

/** Distance in the space of all weights: far above rounding, and near enough that the loss is straight. */
const STEP = 1e-3;

async function logProbsOf(
  model: QwenVLModel,
  batch: PackedBatch,
  bannedIds: readonly number[] = [],
): Promise<Float32Array> {
  const { logProb, entropy } = noGrad(() =>
    scope(() => {
      const uploaded = model.upload(batch);
      return model.logProbs(model.hidden(model.embed(uploaded), uploaded), batch, { bannedIds });
    }),
  );
  const values = await logProb.values();
  logProb.dispose();
  entropy.dispose();
  return values as Float32Array;
}

/** Of the summed negative log-probs, by every weight. */
async function gradients(model: QwenVLModel, batch: PackedBatch): Promise<Float32Array[]> {
  const made = scope(() => {
    const uploaded = model.upload(batch);
    const recorded = record(
      [...model.weights].map(({ run }) => run),
      () => scope(() => model.logProbs(model.hidden(model.embed(uploaded), uploaded), batch).logProb),
    );
    const count = batch.targetIds.length;
    const cotangent = model.device.tensor(new Float32Array(count).fill(-1), [count]);
    return recorded.backward([[recorded.value, cotangent]]);
  });
  const values: Float32Array[] = [];
  for (const gradient of made) {
    values.push((await gradient.values()) as Float32Array);
    gradient.dispose();
  }
  return values;
}
