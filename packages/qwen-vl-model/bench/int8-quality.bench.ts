/**
 * What holding projections in eight bits costs at the widths of 3B: two layers with random weights, a prompt with a picture and
 * two responses. States behind the last layer and log-probs of the responses, against the same weights in f32; weights rounded to bf16 stand
 * beside. Random normal weights have no outliers, as trained ones do: this is a lower bound of the error.
 * Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: everything is finite.
 */
import { noGrad, openDevice, scope } from "@iapo/tensor-core";
import { knownConfigs } from "../src/config.ts";
import { initializeWeights, packGroups, QwenVLModel, workloadGroup } from "../src/index.ts";

const known = knownConfigs["3B"];
const config = {
  ...known,
  ...{ text: { ...known.text, vocabSize: 8192, numHiddenLayers: 2 }, vision: { ...known.vision, depth: 2 } },
  tokens: knownConfigs.nano.tokens, // within that vocabulary
};

using device = await openDevice();

type Row = { readonly case: string; readonly unit: string; readonly ours: number; readonly correct: boolean };
const rows: Row[] = [];
const exact = await outputsOf({});
for (const [kind, options] of [
  ["bf16", { dtype: "bf16" }],
  ["eight bits", { base: "int8" }],
] as const) {
  const { states, logProbs } = await outputsOf(options);
  const error = rms(states.map((value, i) => value - (exact.states[i] ?? Number.NaN))) / rms(exact.states);
  const nats = rms(logProbs.map((value, i) => value - (exact.logProbs[i] ?? Number.NaN)));
  rows.push(row(`3B, ${kind}: error of the last states, of their size`, "", error));
  rows.push(row(`3B, ${kind}: error of a log-prob`, "nats", nats));
}
console.log(JSON.stringify({ name: "int8-quality", rows }));

async function outputsOf(options: Parameters<typeof initializeWeights>[3]) {
  const model = new QwenVLModel(config, initializeWeights(device, config, [1, 2], { ...options, deviation: "fan_in" }));
  const group = workloadGroup(config, { promptTokens: 96, images: [[1, 8, 8]], responses: 2, responseTokens: 32 });
  const batch = packGroups(config, [group]);
  const uploaded = model.upload(batch);
  const [states, logProb] = noGrad(() =>
    scope(() => {
      const hidden = model.hidden(model.embed(uploaded), uploaded);
      return [hidden, model.logProbs(hidden, batch).logProb];
    }),
  );
  const read = { states: await states.values(), logProbs: await logProb.values() };
  for (const tensor of [states, logProb]) tensor.dispose();
  model.release(uploaded);
  model.dispose();
  return read;
}

function row(name: string, unit: string, ours: number): Row {
  return { case: name, unit, ours: Number(ours.toPrecision(3)), correct: Number.isFinite(ours) };
}

function rms(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);
}
