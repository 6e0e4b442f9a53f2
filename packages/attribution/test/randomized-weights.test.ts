// The randomized-weights check: known similarities, a method that explains the model, and one that shows the input alone.
import { DifferentiableQwenVL, initializeWeights, QwenVLModel } from "@iapo/qwen-vl-model";
import { knownConfigs } from "@iapo/qwen-vl-model/config";
import { type Device, multiply, openDevice, reshape, scope, sum } from "@iapo/tensor-core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  AttributionError,
  type BlockMethod,
  type DifferentiableModel,
  randomizedWeightsCheck,
  similarity,
} from "../src/index.ts";
import { evenPartition, groupOf } from "./support/group.ts";

let device: Device;
let model: DifferentiableQwenVL;
let twin: DifferentiableQwenVL;
let random: DifferentiableQwenVL;
beforeAll(async () => {
  device = await openDevice();
  [model, twin, random] = [open(1), open(1), open(2)];
});
afterAll(() => {
  for (const { model: each } of [model, twin, random]) each.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

test("rank correlation and cosine of known numbers", () => {
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: a covariance of 4.5 over deviations of sqrt(4.5) and sqrt(5).
  expect(similarity([1, 2, 2, 3], [10, 30, 20, 99]).rankCorrelation).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 14);
  expect(similarity([1, 0], [1, 1]).cosine).toBeCloseTo(Math.SQRT1_2, 14);
  const opposite = similarity([1, -2, 3], [-1, 2, -3]);
  expect([opposite.rankCorrelation, opposite.cosine]).toEqual([expect.closeTo(-1, 14), expect.closeTo(-1, 14)]);
  expect(opposite.absoluteRankCorrelation).toBeCloseTo(1, 14);
  expect(similarity([1, 1], [1, 2]).rankCorrelation).toBeNaN();
  expect(() => similarity([1], [1, 2])).toThrow(AttributionError);
  expect(() => similarity([1, Number.NaN], [1, 2])).toThrow(AttributionError);
});

test("bounded, symmetric, and blind to the unit of the scores", () => {
  const numbers = fc.array(fc.tuple(fc.double({ min: -1e200, max: 1e200 }), fc.double({ min: -1e3, max: 1e3 })), {
    minLength: 2,
    maxLength: 30,
  });
  fc.assert(
    fc.property(numbers, (pairs) => {
      fc.pre(pairs.every((pair) => pair.every(Number.isFinite)));
      const [one, other] = [0, 1].map((k) => pairs.map((pair) => pair[k]!)) as [number[], number[]];
      const same = similarity(one, other);
      const turned = similarity(
        other,
        one.map((value) => value * 2 ** 10),
      );
      for (const key of ["rankCorrelation", "absoluteRankCorrelation", "cosine"] as const) {
        if (Number.isNaN(same[key])) continue;
        expect(Math.abs(same[key])).toBeLessThanOrEqual(1 + 1e-12);
        expect(turned[key]).toBeCloseTo(same[key], 10);
      }
    }),
  );
});

const config = knownConfigs.nano;
const group = groupOf(config, { words: 60, images: 1, grid: [1, 8, 8], responses: [8, 12] });
const units = evenPartition(group, 38); // two tokens each
const open = (seed: number): DifferentiableQwenVL =>
  new DifferentiableQwenVL(new QwenVLModel(config, initializeWeights(device, config, [seed, 1])));

test.each([{ kind: "grad_x_input" }, { kind: "occlusion" }] as BlockMethod[])(
  "%o depends on the weights",
  async (method) => {
    for (const same of await randomizedWeightsCheck(model, twin, group, units, method)) {
      for (const value of Object.values(same)) expect(value).toBeCloseTo(1, 12);
    }
    // Not 0 (occlusion: 0.6): where a token stands matters in any model of this shape.
    for (const { rankCorrelation, cosine } of await randomizedWeightsCheck(model, random, group, units, method)) {
      expect(Math.abs(rankCorrelation)).toBeLessThan(0.75);
      expect(Math.abs(cosine)).toBeLessThan(0.75);
    }
  },
);

test("a model whose scores rest on its input alone is found out", async () => {
  // Its log-prob is the sum of all prompt embeddings, which are the same whatever the weights: gradient x embedding shows the input.
  const blind = (strength: number): DifferentiableModel<undefined> => ({
    device,
    embed() {
      const embeddings = device.tensor(
        Float32Array.from({ length: 80 }, (_, i) => Math.sin(i * i)),
        [20, 4],
      );
      const meanEmbedding = device.tensor(new Float32Array(4), [1, 4]);
      return {
        embeddings,
        meanEmbedding,
        imageOfToken: new Int32Array(20).fill(-1),
        padEmbedding: undefined,
        targets: [1],
        responseRows: 0,
        dispose() {
          embeddings.dispose();
          meanEmbedding.dispose();
        },
      };
    },
    prefill: (variants) => ({
      variants: variants.map(({ embedded }) => embedded),
      tensors: variants.map(({ rows }) => multiply(rows, strength)),
    }),
    score: ({ tensors }) => scope(() => reshape(sum(reshape(tensors[0]!, [80]), 0), [1])),
  });
  const tokens = {
    names: Array.from({ length: 20 }, (_, i) => `${i}`),
    unitOfToken: Int16Array.from({ length: 20 }, (_, i) => i),
  };
  const [found] = await randomizedWeightsCheck(blind(1), blind(3), undefined, tokens, { kind: "grad_x_input" });
  expect(found!.rankCorrelation).toBeCloseTo(1, 12);
  expect(found!.cosine).toBeCloseTo(1, 6);
});
