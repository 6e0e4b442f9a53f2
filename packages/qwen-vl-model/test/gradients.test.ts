// Gradients by subsets of the parameters are those of the full backward pass; so are several passes over one shared forward.
import { join } from "node:path";
import { type Device, multiply, openDevice, record, scope, sum, type Tensor } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { mergedWeights } from "../src/lora/merge.ts";
import { QwenVLModel, type UploadedBatch } from "../src/model/model.ts";
import type { PackedBatch } from "../src/model/pack.ts";
import { activeAdapter } from "./support/adapter.ts";
import { groupBatch } from "./support/batch.ts";
import { loadGolden } from "./support/golden.ts";
import { loadNano, nanoDirectory } from "./support/nano.ts";

let device: Device;
let model: QwenVLModel;
let batch: PackedBatch;
let uploaded: UploadedBatch;
/** A different factor for every log-prob, so that no two responses have the same gradient. */
let factors: Tensor;
let liveBytes: number;

beforeAll(async () => {
  device = await openDevice();
  model = await loadNano(device);
  model.adapter = activeAdapter(model);
  batch = groupBatch(model, await loadGolden(join(nanoDirectory, "golden.safetensors")));
  uploaded = model.upload(batch);
  const count = batch.targetIds.length;
  factors = device.tensor(
    Float32Array.from({ length: count }, (_, i) => Math.cos(i)),
    [count],
  );
  liveBytes = device.memory().liveBytes;
});
afterEach(() => expect(device.memory().liveBytes).toBe(liveBytes));
afterAll(() => {
  factors.dispose();
  model.release(uploaded);
  model.dispose();
  device.close();
});

interface Passes {
  readonly checkpoint?: boolean;
  /** Differentiate by these, and by the input embeddings where `embeddings` is set. */
  readonly wrt: readonly Tensor[];
}

function forward(of: QwenVLModel, checkpoint: boolean): { embeddings: Tensor; logProb: Tensor } {
  return scope(() => {
    const embeddings = of.embed(uploaded, { checkpoint });
    const { logProb } = of.logProbs(of.hidden(embeddings, uploaded, { checkpoint }), batch);
    return { embeddings: embeddings.rows, logProb };
  });
}

/** Gradients of the weighted log-probs by `wrt`. */
async function gradients(of: QwenVLModel, { wrt, checkpoint = false }: Passes): Promise<Float32Array[]> {
  const made = scope(() => {
    const recorded = record(wrt, () => scope(() => sum(multiply(forward(of, checkpoint).logProb, factors))));
    return recorded.backward(recorded.value);
  });
  return values(made);
}

async function values(tensors: readonly Tensor[]): Promise<Float32Array[]> {
  const out: Float32Array[] = [];
  for (const tensor of tensors) {
    out.push((await tensor.values()) as Float32Array);
    tensor.dispose();
  }
  return out;
}

const subsets: Record<string, (name: string) => boolean> = {
  "the adapter alone": (name) => name.includes("lora_"),
  "vision frozen": (name) => !name.startsWith("visual."),
  "vision alone": (name) => name.startsWith("visual."),
  "norms and biases": (name) => /norm|ln_q|bias/.test(name),
  "one matrix in the middle": (name) => name === "model.layers.1.mlp.up_proj.weight",
};

test.each([false, true])("any subset has the bits of the full backward pass (checkpointed: %s)", async (checkpoint) => {
  const parameters = [...model.weights, ...model.adapter!.parameters];
  const all = await gradients(model, { wrt: parameters.map(({ run }) => run), checkpoint });
  expect(all.every((gradient) => gradient.some((value) => value !== 0))).toBe(true);
  for (const [subset, includes] of Object.entries(subsets)) {
    const chosen = parameters.map(({ name }, i) => ({ name, i })).filter(({ name }) => includes(name));
    const got = await gradients(model, { wrt: chosen.map(({ i }) => parameters[i]!.run), checkpoint });
    expect(chosen.length, subset).toBeGreaterThan(0);
    for (const [k, { name, i }] of chosen.entries()) expect(got[k], `${subset}: ${name}`).toEqual(all[i]);
  }
});

test("the adapter's gradients follow from those of the merged weights by the chain rule", async () => {
  // W' = W + s B A, hence dB = s G A^T and dA = s B^T G, where G is the gradient by W'.
  const adapter = model.adapter!;
  const got = await gradients(model, { wrt: adapter.parameters.map(({ run }) => run) });
  const merged = new QwenVLModel(model.config, mergedWeights(model.weights, adapter));
  const names = [...adapter.pairs.keys()];
  const byMerged = await gradients(merged, { wrt: names.map((name) => merged.weights.get(`${name}.weight`)) });
  merged.dispose();
  for (const [i, name] of names.entries()) {
    const { a, b, scale } = adapter.pairs.get(name)!;
    const [A, B, G] = [await a.run.values(), await b.run.values(), byMerged[i]!];
    const [rank, input] = a.run.shape as [number, number];
    const out = b.run.shape[0]!;
    const dA = new Float64Array(rank * input);
    const dB = new Float64Array(out * rank);
    for (let o = 0; o < out; o++)
      for (let r = 0; r < rank; r++)
        for (let c = 0; c < input; c++) {
          dA[r * input + c]! += scale * B[o * rank + r]! * G[o * input + c]!;
          dB[o * rank + r]! += scale * G[o * input + c]! * A[r * input + c]!;
        }
    expect(relativeDifference(got[2 * i]!, dA), `${name} A`).toBeLessThan(1e-4);
    expect(relativeDifference(got[2 * i + 1]!, dB), `${name} B`).toBeLessThan(1e-4);
  }
});

test.each([false, true])("one shared forward, a backward pass per response (checkpointed: %s)", async (checkpoint) => {
  const parameters = model.adapter!.parameters.map(({ run }) => run);
  const starts = batch.responseStarts;
  const responses = [0, 1].map((r) =>
    Float32Array.from({ length: batch.targetIds.length }, (_, i) => Number(i >= starts[r]! && i < starts[r + 1]!)),
  );
  const recorded = record([model.embeddings, ...parameters], () => forward(model, checkpoint));
  const { embeddings, logProb } = recorded.value;
  const pass = (cotangent: Float32Array, retain: boolean) => {
    const seed = device.tensor(cotangent, [cotangent.length]);
    const out = recorded.backward([[logProb, seed]], { wrt: [embeddings, ...parameters], retain });
    seed.dispose();
    return values(out);
  };
  const first = await pass(responses[0]!, true);
  const second = await pass(responses[1]!, true);
  expect(await pass(responses[0]!, true)).toEqual(first);
  const both = await pass(
    Float32Array.from(responses[0]!, (v, i) => v + responses[1]![i]!),
    false,
  );
  expect(() => recorded.backward([[logProb, logProb]])).toThrow(expect.objectContaining({ code: "tape" }));
  for (const [i, expected] of both.entries()) {
    const together = first[i]!.map((value, k) => value + second[i]![k]!);
    expect(relativeDifference(together, expected)).toBeLessThan(1e-5);
  }
  // A response's gradient is zero on the rows of the other, and not zero on its own and the prompt's.
  const width = model.config.text.hiddenSize;
  const rows = batch.segments.map(({ queryStart, queryCount }) => [queryStart, queryStart + queryCount] as const);
  const moves = (gradient: Float32Array, [from, to]: readonly [number, number]) =>
    gradient.subarray(from * width, to * width).some((value) => value !== 0);
  expect(rows.map((range) => moves(first[0]!, range))).toEqual([true, true, false]);
  expect(rows.map((range) => moves(second[0]!, range))).toEqual([true, false, true]);
  embeddings.dispose();
  logProb.dispose();
});
