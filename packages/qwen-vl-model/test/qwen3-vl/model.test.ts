// Qwen3-VL without an oracle: what must hold of DeepStack, positions, norms and packing; two turns, adapters, export, plan.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type Device,
  deriveSeed,
  linear,
  mean,
  multiply,
  negate,
  noGrad,
  openDevice,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knownConfigs, loadConfig, tensorTable } from "../../src/config.ts";
import { positionLayout } from "../../src/families/qwen3-vl/position-layout.ts";
import { checkpointName } from "../../src/families/qwen3-vl/tensors.ts";
import { Session } from "../../src/generation/session.ts";
import { projectionsOf } from "../../src/lora/targets.ts";
import { QwenVLModel } from "../../src/model/model.ts";
import { type PromptGroup, packGroups, type Sequence } from "../../src/model/pack.ts";
import { joinSequences, turnSequence } from "../../src/model/response.ts";
import { ropePositions } from "../../src/processor/positions.ts";
import { textRotaryTables } from "../../src/processor/rotary.ts";
import { exportModel } from "../../src/weights/export.ts";
import { initializeWeights } from "../../src/weights/initialize.ts";
import { verifyExport } from "../../src/weights/verify-export.ts";
import { Weights } from "../../src/weights/weights.ts";
import { activeAdapter } from "../support/adapter.ts";
import { type Golden, loadGolden } from "../support/golden.ts";
import { planModel, runWorkload, type Workload } from "../support/plan.ts";
import { imagesOf, paddedRow, proceduralModel, qwen3Directory, sequenceOf } from "../support/qwen3-vl.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const config = knownConfigs["qwen3-vl-nano"];
let device: Device;
let golden: Golden;
let model: QwenVLModel;
beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(qwen3Directory, "golden.safetensors"));
  model = await proceduralModel(device, config);
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

/** Logits `[rows][vocabulary]` of sequences in one pass. */
async function logitsOf(of: QwenVLModel, sequences: readonly Sequence[]): Promise<Float32Array[]> {
  const batch = packGroups(
    of.config,
    sequences.map((prompt) => ({ prompt, responses: [] })),
  );
  const uploaded = of.upload(batch);
  using logits = noGrad(() => scope(() => linear(of.hidden(of.embed(uploaded), uploaded), of.head)));
  of.release(uploaded);
  const values = (await logits.values()) as Float32Array;
  const { vocabSize } = of.config.text;
  return Array.from(batch.tokens, (_, row) => values.slice(row * vocabSize, (row + 1) * vocabSize));
}

/** The model with some weights as `change` makes them; it shares the rest. */
function altered(change: (name: string, run: Tensor) => Tensor | undefined): QwenVLModel & Disposable {
  const made: Tensor[] = [];
  const weights = [...model.weights].map((weight) => {
    const run = noGrad(() => change(weight.name, weight.run));
    if (run) made.push(run);
    return run ? { ...weight, run } : weight;
  });
  const other = new QwenVLModel(model.config, new Weights(device, "f32", weights));
  return Object.assign(other, {
    [Symbol.dispose]: () => {
      for (const tensor of made) tensor.dispose();
    },
  });
}

const promptOf = (): Sequence => sequenceOf(model.config, golden, "nano.A");
const firstDifference = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  a.findIndex((row, i) => Buffer.compare(Buffer.from(row.buffer), Buffer.from(b[i]!.buffer)) !== 0);
const furthest = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(...a.map((row, i) => Math.max(...row.map((value, k) => Math.abs(value - b[i]![k]!)))));

describe("positions", () => {
  test("a grid of the table's own size takes its rows, in the order of cells", () => {
    const { taps } = positionLayout(config.vision, [[1, 6, 6]]);
    const [first] = taps;
    expect([...first!.rows.subarray(0, 8)]).toEqual([0, 1, 6, 7, 2, 3, 8, 9]);
    expect(new Set(first!.rows).size).toBe(36);
    expect(first!.weights.every((weight) => weight === 1)).toBe(true);
    for (const tap of taps.slice(1)) expect(tap.weights.every((weight) => weight === 0)).toBe(true);
  });

  test.each([
    [1, 2, 2],
    [1, 4, 10],
    [1, 96, 2],
    [1, 50, 130],
  ] as const)("%s x %s x %s: weights add up, and a linear table stays linear", (...grid) => {
    const { vision } = knownConfigs["qwen3-vl-8B"];
    const { taps } = positionLayout(vision, [grid]);
    const [, height, width] = grid;
    for (let patch = 0; patch < height * width; patch++) {
      const [cell, within] = [patch >> 2, patch & 3];
      const y = 2 * Math.floor(cell / (width / 2)) + (within >> 1);
      const x = 2 * (cell % (width / 2)) + (within & 1);
      let [sum, row, column] = [0, 0, 0];
      for (const { rows, weights } of taps) {
        sum += weights[patch]!;
        row += weights[patch]! * Math.floor(rows[patch]! / 48);
        column += weights[patch]! * (rows[patch]! % 48);
      }
      expect(sum).toBeCloseTo(1, 6);
      expect(row).toBeCloseTo((47 * y) / (height - 1), 4);
      expect(column).toBeCloseTo((47 * x) / (width - 1), 4);
    }
  });

  test("the axes of [24, 20, 20], literally", () => {
    const { text } = knownConfigs["qwen3-vl-8B"];
    const axes = [0, 1, 2].map((axis) => {
      const { sin } = textRotaryTables(
        text,
        Int32Array.from([0, 1, 2], (k) => Number(k === axis)),
      );
      return [...sin].map((value) => value !== 0);
    });
    const letters = Array.from({ length: 64 }, (_, j) => "THW"[axes.findIndex((turns) => turns[j])]).join("");
    expect(letters).toBe(`${"THW".repeat(20)}TTTT`);
    const plain = textRotaryTables({ ...text, mropeInterleaved: false }, Int32Array.of(9, 9, 9));
    expect(textRotaryTables(text, Int32Array.of(9, 9, 9))).toEqual(plain);
  });
});

describe("DeepStack", () => {
  const merger = /^visual\.deepstack_merger_list\.\d\.linear_fc2\./;

  test("without features, logits change at the first image and behind, not before; zero mergers are no mergers", async () => {
    const prompt = promptOf();
    const whole = await logitsOf(model, [prompt]);
    using silent = altered((name, run) => (merger.test(name) ? scope(() => multiply(run, 0)) : undefined));
    const without = await logitsOf(silent, [prompt]);
    expect(firstDifference(whole, without)).toBe(prompt.tokens.indexOf(config.tokens.image));
    const plain = { ...config, vision: { ...config.vision, deepstackBlocks: [] } };
    const kept = [...model.weights].filter(({ name }) => !name.includes("deepstack"));
    const none = await logitsOf(new QwenVLModel(plain, new Weights(device, "f32", kept)), [prompt]);
    expect(furthest(without, none)).toBe(0);
  });

  test("which features go behind which layer matters, and which image they are of", async () => {
    const prompt = promptOf();
    const whole = await logitsOf(model, [prompt]);
    using swapped = altered((name) => {
      const other = name.replace(/list\.([01])\./, (_, k: string) => `list.${1 - Number(k)}.`);
      return other === name ? undefined : model.weights.get(other).alias();
    });
    expect(furthest(whole, await logitsOf(swapped, [prompt]))).toBeGreaterThan(0.1);
    const [small, large] = prompt.images as [Sequence["images"][number], Sequence["images"][number]];
    const others = imagesOf(model.config, golden, "nano.B");
    const other = { ...small, id: "other", values: others[0]!.values.slice(0, small.values.length) };
    const replaced = await logitsOf(model, [{ ...prompt, images: [other, large] }]);
    expect(firstDifference(whole, replaced)).toBe(prompt.tokens.indexOf(config.tokens.image));
  });

  test("a batch gives the bits of single runs, the same image twice among them", async () => {
    const prompt = promptOf();
    const second = paddedRow(model.config, golden, "nano.B", 0);
    const text = { tokens: Int32Array.of(20, 21), positions: Int32Array.of(0, 0, 0, 1, 1, 1), images: [] };
    const sequences = [prompt, second, text, prompt, paddedRow(model.config, golden, "nano.B", 1)];
    const together = await logitsOf(model, sequences);
    const single: Float32Array[] = [];
    for (const sequence of sequences) single.push(...(await logitsOf(model, [sequence])));
    expect(firstDifference(together, single)).toBe(-1);
  });
});

test.each([
  ["q_proj", false],
  ["k_proj", false],
  ["v_proj", true],
] as const)(
  "%s times 3: heads of queries and keys are normalized, so that it changes logits: %s",
  async (projection, changes) => {
    const prompt = promptOf();
    const whole = await logitsOf(model, [prompt]);
    using scaled = altered((name, run) =>
      name.endsWith(`layers.1.self_attn.${projection}.weight`) ? scope(() => multiply(run, 3)) : undefined,
    );
    const distance = furthest(whole, await logitsOf(scaled, [prompt]));
    if (changes) expect(distance).toBeGreaterThan(0.1);
    else expect(distance).toBeLessThan(1e-3);
  },
);

const BANNED = [0, 7, 8];

test.each([
  { dtype: "f32", lora: false, temperature: 1, samples: 3 },
  { dtype: "bf16", lora: true, temperature: 0.7, samples: 3 },
] as const)(
  "two turns and an image between: log-probs of rollout and update are the same bits ($dtype, LoRA $lora)",
  async ({ dtype, lora, temperature, samples }) => {
    const own = await proceduralModel(device, config, { dtype });
    if (lora) own.adapter = activeAdapter(own);
    const prompts = [promptOf(), paddedRow(own.config, golden, "nano.B", 1)];
    const seeds = prompts.flatMap((_, p) => Array.from({ length: samples }, (_, i) => deriveSeed("parity", p, i)));
    const request = {
      ...{ samples, seeds, sampling: { temperature, bannedIds: BANNED } },
      stop: { ids: Array.from({ length: 60 }, (_, i) => 7 * i), maxTokens: 10 },
    };
    const pictures = imagesOf(own.config, golden, "nano.A");
    const observation = (position: number, variant: number): Sequence => {
      const image = pictures[variant % 2]!;
      const cells = (image.grid[1] * image.grid[2]) / 4;
      const tokens = Int32Array.from([20 + variant, 5, ...new Array<number>(cells).fill(7), 6, 30]);
      return {
        tokens,
        positions: ropePositions(tokens, [image.grid], config.tokens, 2, position).positions,
        images: [image],
      };
    };
    {
      using session = await Session.open(own, prompts);
      const first = await session.generate(request);
      const observations = first.map((turn, i) => observation(turn.nextPosition, i));
      await session.append(observations);
      const second = await session.generate(request);
      const groups: PromptGroup[] = prompts.map((prompt, p) => ({
        prompt,
        responses: Array.from({ length: samples }, (_, i) => {
          const k = p * samples + i;
          return joinSequences([
            { ...turnSequence(first[k]!), target: true },
            { ...observations[k]!, target: false },
            { ...turnSequence(second[k]!), target: true },
          ]);
        }),
      }));
      const batch = packGroups(own.config, groups);
      const uploaded = own.upload(batch);
      const { logProb, entropy } = noGrad(() =>
        scope(() => own.logProbs(own.hidden(own.embed(uploaded), uploaded), batch, { temperature, bannedIds: BANNED })),
      );
      const expected = first.flatMap((turn, i) => [...turn.logProbs, ...second[i]!.logProbs]);
      expect([...(await logProb.values())]).toEqual(expected);
      for (const tensor of [logProb, entropy]) tensor.dispose();
      own.release(uploaded);
    }
    own.dispose();
  },
);

test("recomputed layers and blocks give the bits of plain ones, for every gradient", async () => {
  const prompt = promptOf();
  const targets = new Uint8Array(6).fill(1);
  const response = { ...turnSequence({ tokens: Int32Array.of(9, 30, 31, 7 + 20, 40, 1), nextPosition: 70 }), targets };
  const batch = packGroups(model.config, [{ prompt, responses: [response, response] }]);
  const uploaded = model.upload(batch);
  const passes = [false, true].map((checkpoint) =>
    scope(() => {
      const recorded = record(
        [...model.weights].map(({ run }) => run),
        () =>
          scope(() => {
            const hidden = model.hidden(model.embed(uploaded, { checkpoint }), uploaded, { checkpoint });
            return negate(mean(model.logProbs(hidden, batch).logProb));
          }),
      );
      return recorded.backward(recorded.value);
    }),
  );
  const [plain, recomputed] = passes as [Tensor[], Tensor[]];
  for (const [i, { name }] of [...model.weights].entries()) {
    const values = await plain[i]!.values();
    expect(
      values.some((value) => value !== 0),
      name,
    ).toBe(true);
    expect(await recomputed[i]!.values(), name).toEqual(values);
  }
  for (const tensor of passes.flat()) tensor.dispose();
  model.release(uploaded);
});

test("an adapter for every projection is merged and exported to the bit, under the published names", async () => {
  using directory = temporaryDirectory();
  const target = join(directory.path, "export");
  const own = await proceduralModel(device, config);
  own.adapter = activeAdapter(own, { rank: 2, alpha: 4, targets: "all-linear" });
  const adapted = projectionsOf(config).map(({ name }) => name);
  expect(adapted).toHaveLength(4 * 4 + 2 + 3 * 2 + 5 * 7);
  expect(adapted.filter((name) => /pos_embed|patch_embed|embed_tokens|lm_head/.test(name))).toEqual([]);
  await exportModel(own, target);
  expect((await readdir(target)).sort()).toEqual(["config.json", "model.safetensors"]);
  await using reader = await openSafetensors(target);
  expect([...reader.tensors.keys()].sort()).toEqual(
    tensorTable(config)
      .map(({ name }) => checkpointName(name))
      .sort(),
  );
  expect(await loadConfig(target)).toEqual(config);
  const check = await verifyExport(own, target, [promptOf()]);
  expect(check.distance).toBeGreaterThan(0);
  expect(check.distance).toBeLessThan(1e-5);
  own.dispose();
});

test("predicted and measured peak of a step agree; 8B is planned without weights", async () => {
  const workload: Workload = {
    ...{ dtype: "bf16", promptTokens: 40, images: [[1, 4, 6]], responses: 4, responseTokens: 12 },
    ...{ train: { rank: 4, alpha: 8, targets: ["q_proj", "v_proj"] }, checkpoint: true },
  };
  const predicted = await planModel(config, workload, device.facts);
  using fresh = await openDevice();
  const own = new QwenVLModel(config, initializeWeights(fresh, config, [1, 1], { dtype: "bf16" }));
  const measured = await runWorkload(own, workload);
  expect(predicted.phases.map(({ flops }) => flops)).toEqual(measured.phases.map(({ flops }) => flops));
  predicted.phases.forEach((phase, i) => {
    expect(Math.abs(phase.peakBytes / measured.phases[i]!.peakBytes - 1), phase.name).toBeLessThan(0.03);
  });
  own.dispose();
  const large = await planModel(
    knownConfigs["qwen3-vl-8B"],
    { dtype: "bf16", promptTokens: 100, images: [[1, 20, 20]], responses: 2, responseTokens: 2 },
    device.facts,
  );
  expect(large.bytesByPart.weights! / 17.534e9).toBeCloseTo(1, 2);
});
