// A model whose frozen projections are held in eight bits is, to the bit, the model of the widened weights: logits, gradients, samples, exports.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Device,
  deriveSeed,
  mean,
  noGrad,
  openDevice,
  planningDevice,
  record,
  scope,
  type Tensor,
  typicalCard,
} from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { knownConfigs } from "../src/config.ts";
import {
  Adapter,
  exportModel,
  initializeWeights,
  loadWeights,
  mergedWeights,
  packGroups,
  QwenVLModel,
  QwenVLPolicy,
  Session,
  TEXT_PROJECTIONS,
  verifyExport,
  Weights,
  workloadGroup,
} from "../src/index.ts";

const config = knownConfigs.mini;
const group = workloadGroup(config, { promptTokens: 40, images: [[1, 4, 6]], responses: 3, responseTokens: 12 });
let device: Device;
/** With projections in eight bits, and with what they widen to; the same adapter on both. */
let [int8, wide]: QwenVLModel[] = [];
beforeAll(async () => {
  device = await openDevice();
  const weights = initializeWeights(device, config, [5, 6], { base: "int8" });
  const adapter = Adapter.create(device, config, { rank: 4, alpha: 8, targets: TEXT_PROJECTIONS }, [7, 8]);
  for (const { b } of adapter.pairs.values())
    b.run.write(Float32Array.from({ length: b.run.size }, (_, i) => Math.sin(i) / 50));
  int8 = new QwenVLModel(config, weights, adapter);
  wide = new QwenVLModel(config, mergedWeights(weights, undefined), adapter);
});
afterAll(() => device.close());

const bits = async (tensor: Tensor): Promise<Uint32Array> => new Uint32Array((await tensor.values()).buffer);

async function scored(model: QwenVLModel): Promise<Uint32Array[]> {
  const batch = packGroups(config, [group]);
  const uploaded = model.upload(batch);
  const parameters = model.trainable.map(({ run }) => run);
  const made = scope(() => {
    const recorded = record(parameters, () => {
      const hidden = model.hidden(model.embed(uploaded), uploaded);
      return mean(model.logProbs(hidden, batch).logProb);
    });
    return [recorded.value, ...recorded.backward(recorded.value)];
  });
  model.release(uploaded);
  const all = await Promise.all(made.map(bits));
  for (const tensor of made) tensor.dispose();
  return all;
}

test("log-probs and an adapter's gradients", async () => {
  const [got, right] = [await scored(int8 as QwenVLModel), await scored(wide as QwenVLModel)];
  expect(got.length).toBe(1 + 2 * 7 * config.text.numHiddenLayers);
  expect(got).toEqual(right);
});

test("gradients by the embeddings, as attribution takes them", async () => {
  const heat = async (model: QwenVLModel): Promise<Uint32Array> => {
    const batch = packGroups(config, [group]);
    const uploaded = model.upload(batch);
    const made = scope(() => {
      const embedded = noGrad(() => model.embed(uploaded));
      const recorded = record([embedded.rows], () =>
        mean(model.logProbs(model.hidden(embedded, uploaded), batch).logProb),
      );
      const [gradient] = recorded.backward(recorded.value);
      return gradient as Tensor;
    });
    model.release(uploaded);
    const found = await bits(made);
    made.dispose();
    return found;
  };
  expect(await heat(int8 as QwenVLModel)).toEqual(await heat(wide as QwenVLModel));
});

test("samples", async () => {
  const turns = async (model: QwenVLModel) => {
    using session = await Session.open(model, [group.prompt]);
    const seeds = [1, 2].map((seed) => deriveSeed("int8", seed));
    return await session.generate({
      samples: 2,
      sampling: { temperature: 1 },
      seeds,
      stop: { ids: [], maxTokens: 10 },
    });
  };
  expect(await turns(int8 as QwenVLModel)).toEqual(await turns(wide as QwenVLModel));
});

test("an export holds the widened weights, with the adapter merged", async () => {
  const folder = await mkdtemp(join(tmpdir(), "iapo-int8-"));
  try {
    const target = join(folder, "model");
    await exportModel(int8 as QwenVLModel, target);
    const { distance, topOneAgreement } = await verifyExport(int8 as QwenVLModel, target, [group.prompt]);
    expect(distance).toBeLessThan(1e-5);
    expect(topOneAgreement).toBe(1);
    const again = await loadWeights(device, config, target, { base: "int8" });
    const name = "model.layers.0.mlp.up_proj.weight";
    expect(again.weight(name).scales?.shape).toEqual([config.text.intermediateSize, config.text.hiddenSize / 64]);
    again.dispose();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("weights that are trained are not held in eight bits", async () => {
  const source = { directory: "nowhere", base: "int8" } as const;
  using planning = planningDevice(typicalCard);
  await expect(QwenVLPolicy.load(planning, source)).rejects.toThrow(/nowhere|lora/);
  const weights = Weights.allocate(planning, config, "f32", (name) => name.endsWith("up_proj.weight"), "int8");
  expect(weights.weight("model.layers.0.mlp.up_proj.weight").scales).toBeUndefined();
  expect(weights.weight("model.layers.0.mlp.gate_proj.weight").scales).toBeDefined();
  expect(weights.weight("model.embed_tokens.weight").scales).toBeUndefined();
});

test("the 7B model takes less than 10 GiB in place of more than 15", () => {
  const bytesOf = (base?: "int8"): number => {
    using planning = planningDevice(typicalCard);
    const weights = Weights.allocate(planning, knownConfigs["7B"], "bf16", () => false, base);
    const { liveBytes } = planning.memory();
    weights.dispose();
    return liveBytes / 2 ** 30;
  };
  expect(bytesOf()).toBeGreaterThan(15.3);
  expect(bytesOf("int8")).toBeLessThan(10);
});
