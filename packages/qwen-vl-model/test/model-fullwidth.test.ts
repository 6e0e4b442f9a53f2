// The widths and the vocabulary of the 3B model against PyTorch, two layers of each tower, sizes and row shards as in use.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  fromBf16,
  gatherRows,
  linear,
  mean,
  negate,
  noGrad,
  openDevice,
  RowIndex,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { expect, test } from "vitest";
import { tensorTable } from "../src/config/tensor-table.ts";
import { loadConfig } from "../src/config.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { packGroups, type Sequence } from "../src/model/pack.ts";
import { filePieces } from "../src/weights/pieces.ts";
import { byToken } from "./support/by-token.ts";
import { type Golden, loadGolden } from "./support/golden.ts";
import { labeled } from "./support/labeled.ts";
import { proceduralBf16, proceduralPixels, proceduralWeights, rangeOf } from "./support/procedural.ts";

const directory = fileURLToPath(new URL("fixtures/model-fullwidth/", import.meta.url));
const goldenFile = join(directory, "golden.safetensors");
const full = process.env.IAPO_FULL === "1";

test("procedural weights are the oracle's", async () => {
  const samples: Record<string, Record<string, number>> = JSON.parse(
    await readFile(join(directory, "samples.json"), "utf8"),
  );
  const { "input.pixel_values": pixels, ...weights } = samples;
  const config = await loadConfig(directory);
  const shapes = new Map(tensorTable(config).map(({ name, shape }) => [name, shape]));
  expect([...shapes.keys()].sort()).toEqual(Object.keys(weights).sort());
  for (const [name, values] of Object.entries(weights)) {
    for (const [index, value] of Object.entries(values)) {
      const [got] = fromBf16(proceduralBf16(name, rangeOf(name, shapes.get(name)!), Number(index), 1));
      expect(got, `${name}[${index}]`).toBe(value);
    }
  }
  const made = proceduralPixels(120 * 1176);
  for (const [index, value] of Object.entries(pixels!)) expect(made[Number(index)], `pixel ${index}`).toBe(value);
});

function sequenceOf(golden: Golden): Sequence {
  const values = proceduralPixels(120 * 1176);
  return {
    tokens: Int32Array.from(golden("input_ids").values),
    positions: byToken(Int32Array.from(golden("position_ids").values)),
    images: [{ id: "procedural", grid: [1, 12, 10], frames: 2, values }],
  };
}

test.runIf(full)(
  "hidden states, logits, loss and gradients",
  async () => {
    const golden = await loadGolden(goldenFile);
    const device = await openDevice();
    const config = await loadConfig(directory);
    const model = new QwenVLModel(config, await proceduralWeights(device, config));
    if (device.facts.maxBinding === 128 * 2 ** 20) expect(model.embeddings.shards).toHaveLength(10);
    const sequence = sequenceOf(golden);
    await checkForward(model, golden, sequence);
    await checkBackward(model, golden, sequence);
    model.dispose();
    expect(device.memory().liveBytes).toBe(0);
    device.close();
  },
  180_000,
);

async function checkForward(model: QwenVLModel, golden: Golden, sequence: Sequence): Promise<void> {
  const { device, weights } = model;
  const count = sequence.tokens.length;
  const uploaded = model.upload(packGroups(model.config, [{ prompt: sequence, responses: [] }]));
  const rows = (x: Tensor, wanted: ArrayLike<number>) =>
    gatherRows(x, RowIndex.of(device, Int32Array.from(wanted), x.shape[0]!));
  const made = noGrad(() =>
    scope(() => {
      const hidden = model.hiddenStates(model.embed(uploaded), uploaded);
      const last = rows(hidden.at(-1)!, [count - 4, count - 3, count - 2, count - 1]);
      return {
        patches: rows(linear(uploaded.vision!.pixels, weights.get("visual.patch_embed.proj.weight")), [0, 1, 5, 119]),
        vision: model.vision(uploaded)!.merged,
        hidden: hidden.map((state) => rows(state, golden("rows").values)),
        logits: linear(last, model.head),
      };
    }),
  );
  model.release(uploaded);
  const read = async (tensor: Tensor): Promise<Float32Array> => {
    const values = (await tensor.values()) as Float32Array;
    tensor.dispose();
    return values;
  };
  expect(relativeDifference(await read(made.patches), golden("patch_embed.rows").values)).toBeLessThan(2e-4);
  const norms = rowNorms(await read(made.vision), model.config.text.hiddenSize);
  expect(relativeDifference(norms, golden("vision_embeds.row_norms").values)).toBeLessThan(2e-4);
  for (const [k, state] of made.hidden.entries()) {
    expect(relativeDifference(await read(state), golden(`hidden.${k}`).values), `hidden ${k}`).toBeLessThan(2e-4);
  }
  const logits = await read(made.logits);
  const vocabulary = model.config.text.vocabSize;
  for (let row = 0; row < 4; row++) {
    const all = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    const ofRow = (name: string, width: number) => golden(name).values.subarray(row * width, (row + 1) * width);
    const top = all.toSorted((a, b) => b - a).subarray(0, 64);
    expect(relativeDifference(top, ofRow("logits_top64_values", 64))).toBeLessThan(2e-4);
    expect(all.indexOf(top[0]!), "top-1 id").toBe(ofRow("logits_top64_ids", 64)[0]);
    const fixed = Float32Array.from(golden("fixed_ids").values, (id) => all[id]!);
    expect(relativeDifference(fixed, ofRow("logits_fixed", 256))).toBeLessThan(2e-4);
    const largest = top[0]!;
    const logSum = largest + Math.log(all.reduce((total, value) => total + Math.exp(value - largest), 0));
    expect(relativeDifference([logSum], ofRow("logits_lse", 1))).toBeLessThan(2e-4);
  }
}

async function checkBackward(model: QwenVLModel, golden: Golden, sequence: Sequence): Promise<void> {
  const batch = packGroups(model.config, [labeled(sequence, golden("labels").values)]);
  const uploaded = model.upload(batch);
  const sources = [...model.weights].map(({ run }) => run);
  const { loss, embeddings, gradients } = scope(() => {
    const recorded = record(sources, () =>
      scope(() => {
        const embeddings = model.embed(uploaded);
        const { logProb } = model.logProbs(model.hidden(embeddings, uploaded), batch);
        return { embeddings: embeddings.rows, loss: negate(mean(logProb)) };
      }),
    );
    const { embeddings, loss } = recorded.value;
    return { loss, embeddings, gradients: recorded.backward(loss, { wrt: [embeddings, ...sources] }) };
  });
  model.release(uploaded);
  expect(relativeDifference([await loss.item()], golden("loss").values)).toBeLessThan(2e-4);

  const width = model.config.text.hiddenSize;
  const [byInput, ...byWeight] = gradients;
  // The last token has no row here: nothing follows it, so that its gradient is zero.
  const inputGradient = new Float32Array(sequence.tokens.length * width);
  inputGradient.set((await byInput!.values()) as Float32Array);
  const inputs = await embeddings.values();
  expect(
    relativeDifference(rowNorms(inputGradient, width), golden("grad.inputs_embeds.row_norms").values),
  ).toBeLessThan(5e-4);
  const rows = [...golden("rows").values].flatMap((row) => [...inputGradient.subarray(row * width, (row + 1) * width)]);
  expect(relativeDifference(rows, golden("grad.inputs_embeds.rows").values)).toBeLessThan(5e-4);
  const dots = Array.from(sequence.tokens, (_, row) => dotOfRow(inputGradient, inputs, row, width));
  expect(relativeDifference(dots, golden("grad_x_embedding").values)).toBeLessThan(5e-4);

  await using reader = await openSafetensors(goldenFile);
  for (const [i, { name }] of [...model.weights].entries()) {
    const indices = new Int32Array((await reader.read(`gradindex.${name}`)).buffer);
    const { norm, samples } = await normAndSamples(byWeight[i]!, indices);
    expect(relativeDifference([norm], golden(`gradnorm.${name}`).values), `${name} norm`).toBeLessThan(5e-4);
    expect(relativeDifference(samples, golden(`gradsample.${name}`).values), name).toBeLessThan(5e-4);
  }
  for (const tensor of [loss, embeddings, ...gradients]) tensor.dispose();
}

/** Streams a gradient, so that the embedding's 1.2 GB are never in memory at once. */
async function normAndSamples(
  gradient: Tensor,
  indices: ArrayLike<number>,
): Promise<{ norm: number; samples: number[] }> {
  const samples = new Array<number>(indices.length);
  let squares = 0;
  let start = 0;
  for await (const bytes of filePieces(gradient, "F32")) {
    const values = new Float32Array(bytes.buffer);
    for (let i = 0; i < values.length; i++) squares += values[i]! * values[i]!;
    for (let k = 0; k < indices.length; k++) {
      const at = indices[k]! - start;
      if (at >= 0 && at < values.length) samples[k] = values[at]!;
    }
    start += values.length;
  }
  return { norm: Math.sqrt(squares), samples };
}

function dotOfRow(a: ArrayLike<number>, b: ArrayLike<number>, row: number, width: number): number {
  let sum = 0;
  for (let i = row * width; i < (row + 1) * width; i++) sum += a[i]! * (b[i] ?? 0);
  return sum;
}

function rowNorms(values: Float32Array, width: number): number[] {
  return Array.from({ length: values.length / width }, (_, row) => Math.sqrt(dotOfRow(values, values, row, width)));
}
