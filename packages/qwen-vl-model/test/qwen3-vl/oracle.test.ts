// Qwen3-VL against PyTorch: tower, learned positions, DeepStack, the input of every layer, logits, loss, every gradient, greedy tokens.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Device,
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
  toBf16,
} from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knownConfigs, loadConfig, parseConfig, tensorTable } from "../../src/config.ts";
import { positionLayout } from "../../src/families/qwen3-vl/position-layout.ts";
import { familyOf } from "../../src/families/registry.ts";
import { Session } from "../../src/generation/session.ts";
import type { QwenVLModel } from "../../src/model/model.ts";
import { packGroups } from "../../src/model/pack.ts";
import { attend } from "../../src/model/text.ts";
import { ropePositions } from "../../src/processor/positions.ts";
import { textRotaryTables } from "../../src/processor/rotary.ts";
import type { ImageGrid } from "../../src/processor/smart-resize.ts";
import { loadWeights } from "../../src/weights/load.ts";
import { byToken } from "../support/by-token.ts";
import { type Golden, loadGolden } from "../support/golden.ts";
import { labeled } from "../support/labeled.ts";
import { proceduralBf16, smallRangeOf } from "../support/procedural.ts";
import { paddedRow, proceduralModel, qwen3Directory, sequenceOf } from "../support/qwen3-vl.ts";

const TOLERANCE = 2e-5;
let device: Device;
let golden: Golden;
/** Largest relative difference by golden, for those who want to know. */
const differences = new Map<string, number>();

beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(qwen3Directory, "golden.safetensors"));
});
afterAll(() => {
  if (process.env.IAPO_SHOW === "1") console.log(Object.fromEntries(differences));
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

function expectNear(values: ArrayLike<number>, name: string, tolerance = TOLERANCE): void {
  const expected = golden(name).values;
  expect(values.length, name).toBe(expected.length);
  const difference = relativeDifference(values, expected);
  const kind = name.replace(/(grad(norm|sample))\..*/, "$1").replace(/layer\.\d/, "layer");
  differences.set(kind, Math.max(difference, differences.get(kind) ?? 0));
  expect(difference, name).toBeLessThan(tolerance);
}

test("positions of images, and taps of the learned table, are those of the published code", () => {
  const { vision, tokens } = knownConfigs["qwen3-vl-nano"];
  const flat = golden("nano.positions.grids").values;
  const grids = Array.from({ length: flat.length / 3 }, (_, i) => [...flat.slice(3 * i, 3 * i + 3)] as [1, 2, 3]);
  const { taps } = positionLayout(vision, grids);
  const patches = taps[0]!.rows.length;
  const side = (part: "rows" | "weights") => Array.from({ length: 4 * patches }, (_, i) => taps[i % 4]![part][i >> 2]!);
  expectNear(side("weights"), "nano.positions.weights", 2e-6);
  // Where a coordinate is a whole number but for its last bit, the other neighbor counts nothing: the sums are compared.
  const width = vision.hiddenSize;
  const name = "visual.pos_embed.weight";
  const table = fromBf16(proceduralBf16(name, smallRangeOf(name, [36, width]), 0, 36 * width));
  const sums = Float32Array.from({ length: patches * width }, (_, i) => {
    const patch = Math.floor(i / width);
    return taps.reduce(
      (sum, { rows, weights }) => sum + weights[patch]! * table[rows[patch]! * width + (i % width)]!,
      0,
    );
  });
  expectNear(sums, "nano.positions.table", 2e-6);
  for (const [model, known] of [
    ["nano", "qwen3-vl-nano"],
    ["mini", "qwen3-vl-mini"],
  ] as const) {
    const grid = golden(`${model}.A.grids`).values;
    const list = [0, 1].map((i) => [...grid.slice(3 * i, 3 * i + 3)] as unknown as ImageGrid);
    const { positions } = ropePositions(golden(`${model}.A.input_ids`).values, list, tokens, 2);
    expect(positions).toEqual(byToken(Int32Array.from(golden(`${model}.A.position_ids`).values)));
    const { cos, sin } = textRotaryTables(knownConfigs[known].text, positions);
    const half = knownConfigs[known].text.headDim / 2;
    expectNear(keptRows(model, cos, half), `${model}.A.cos`, 1e-6);
    expectNear(keptRows(model, sin, half), `${model}.A.sin`, 1e-6);
  }
});

/** The rows of a matrix that the oracle kept: all of nano, some of mini. */
function keptRows(model: string, values: Float32Array, width: number): Float32Array {
  if (model === "nano") return values;
  const rows = [...golden("mini.A.rows").values].filter((row) => row < values.length / width);
  return Float32Array.from(rows.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]));
}

test.each(["nano", "mini"] as const)(
  "%s: configuration and names of tensors are those that transformers writes",
  async (name) => {
    const known = knownConfigs[`qwen3-vl-${name}`];
    const file = name === "nano" ? "nano/config.json" : "mini.json";
    const json: unknown = JSON.parse(await readFile(join(qwen3Directory, file), "utf8"));
    expect(parseConfig(json)).toEqual({ ...known, dtype: name === "nano" ? "bfloat16" : "float32" });
    const names: Record<string, string[]> = JSON.parse(await readFile(join(qwen3Directory, "tensors.json"), "utf8"));
    const { checkpointName } = familyOf(known);
    const ours = tensorTable(known).map((tensor) => `${checkpointName(tensor.name)} [${tensor.shape.join(", ")}]`);
    const theirs = names[name]!.filter((text) => !(known.text.tieWordEmbeddings && text.startsWith("lm_head.")));
    expect(ours.sort()).toEqual(theirs.sort());
  },
);

test("the checkpoint that transformers wrote holds the weights of the formula", async () => {
  const directory = join(qwen3Directory, "nano");
  const config = await loadConfig(directory);
  const weights = await loadWeights(device, config, directory);
  expect(weights.dtype).toBe("bf16");
  for (const { name, shape, run } of weights) {
    const expected = proceduralBf16(name, smallRangeOf(name, shape), 0, run.size);
    const values = await run.values();
    expect(values instanceof Uint16Array ? values : toBf16(values as Float32Array), name).toEqual(expected);
  }
  weights.dispose();
});

describe.each(["nano", "mini"] as const)("%s", (name) => {
  let model: QwenVLModel;
  const prefix = `${name}.A`;
  beforeAll(async () => {
    model = await proceduralModel(device, `qwen3-vl-${name}`, { trainable: () => true });
  });
  afterAll(() => model.dispose());

  async function expectClose(tensor: Tensor, golden: string): Promise<void> {
    const values = (await tensor.values()) as Float32Array;
    tensor.dispose();
    expectNear(keptRows(name, values, tensor.shape[1] ?? 1), `${prefix}.${golden}`);
  }

  test("tower, features, keys, layers and logits", async () => {
    const sequence = sequenceOf(model.config, golden, prefix);
    const uploaded = model.upload(packGroups(model.config, [{ prompt: sequence, responses: [] }]));
    const { features, logits, hidden, keys } = noGrad(() =>
      scope(() => {
        const features = model.vision(uploaded)!;
        const hidden = model.hiddenStates(model.embed(uploaded), uploaded);
        const layer = { parameters: model.parameters, config: model.config.text, index: 1 };
        const { keys } = attend(layer, hidden[1]!, uploaded.layout);
        return { features, hidden, keys, logits: linear(hidden.at(-1)!, model.head) };
      }),
    );
    await expectClose(features.merged, "merged");
    for (const [k, deep] of features.deep.entries()) await expectClose(deep, `deep.${k}`);
    expect(features.deep).toHaveLength(3);
    await expectClose(keys, "keys.1");
    await expectClose(logits, "logits");
    for (const [k, state] of hidden.slice(0, -1).entries()) await expectClose(state, `layer.${k}`);
    hidden.at(-1)!.dispose();
    model.release(uploaded);
  });

  test.each([false, true])(
    "loss, every gradient, by embeddings and features too (checkpointed: %s)",
    async (checkpoint) => {
      const sequence = sequenceOf(model.config, golden, prefix);
      const batch = packGroups(model.config, [labeled(sequence, golden(`${prefix}.labels`).values)]);
      const uploaded = model.upload(batch);
      const sources = [...model.weights].map(({ run }) => run);
      const { loss, gradients, inputs } = scope(() => {
        const recorded = record(sources, () =>
          scope(() => {
            const inputs = model.embed(uploaded, { checkpoint });
            const hidden = model.hidden(inputs, uploaded, { checkpoint });
            return { loss: negate(mean(model.logProbs(hidden, batch).logProb)), inputs: [inputs.rows, ...inputs.deep] };
          }),
        );
        const { loss, inputs } = recorded.value;
        return { loss, inputs, gradients: recorded.backward(loss, { wrt: [...inputs, ...sources] }) };
      });
      expectNear([await loss.item()], `${prefix}.loss`, 1e-5);
      const [byRows, ...others] = gradients;
      const width = model.config.text.hiddenSize;
      // The last token has no row here: nothing follows it.
      const whole = new Float32Array(sequence.tokens.length * width);
      whole.set((await byRows!.values()) as Float32Array);
      expectNear(keptRows(name, whole, width), `${prefix}.grad.embeddings`);
      for (const k of [0, 1, 2]) {
        const values = (await others[k]!.values()) as Float32Array;
        expectNear(keptRows(name, values, width), `${prefix}.grad.deep.${k}`);
      }
      for (const [i, weight] of [...model.weights].entries()) {
        const values = (await others[3 + i]!.values()) as Float32Array;
        const samples = golden(`${prefix}.gradsample.${weight.name}`).values;
        const place = (k: number) => Math.trunc((k * (values.length - 1)) / Math.max(1, samples.length - 1));
        const largest = golden(`${prefix}.gradnorm.${weight.name}`).values[0]!;
        expectNear([Math.hypot(...[0, ...chunkedNorms(values)])], `${prefix}.gradnorm.${weight.name}`);
        // Some samples of a table are all zero: differences count against the norm.
        for (const [k, sample] of samples.entries()) {
          expect(Math.abs(values[place(k)]! - sample) / largest, weight.name).toBeLessThan(TOLERANCE);
        }
      }
      for (const tensor of [loss, ...inputs, ...gradients]) tensor.dispose();
      model.release(uploaded);
    },
  );
});

function chunkedNorms(values: Float32Array): number[] {
  return Array.from({ length: Math.ceil(values.length / 1000) }, (_, i) =>
    Math.hypot(...values.subarray(1000 * i, 1000 * (i + 1))),
  );
}

test("greedy tokens of a left-padded pair, and the logits behind its prompts", async () => {
  const model = await proceduralModel(device, "qwen3-vl-nano");
  const prompts = [0, 1].map((row) => paddedRow(model.config, golden, "nano.B", row));
  const batch = packGroups(
    model.config,
    prompts.map((prompt) => ({ prompt, responses: [] })),
  );
  const uploaded = model.upload(batch);
  const last = batch.segments.map(({ queryStart, queryCount }) => queryStart + queryCount - 1);
  using logits = noGrad(() =>
    scope(() => {
      const hidden = model.hidden(model.embed(uploaded), uploaded);
      return linear(gatherRows(hidden, RowIndex.of(device, last, batch.tokens.length)), model.head);
    }),
  );
  expectNear((await logits.values()) as Float32Array, "nano.B.last_logits");
  model.release(uploaded);
  {
    using session = await Session.open(model, prompts);
    const seeds = prompts.map(() => [0, 0] as const);
    const stop = { ids: [], maxTokens: 12 };
    const turns = await session.generate({ samples: 1, sampling: { temperature: 0 }, seeds, stop });
    expect(turns.flatMap(({ tokens }) => [...tokens])).toEqual([...golden("nano.B.greedy").values]);
  }
  model.dispose();
});
