// The head's promises across calls: equal bits for any slicing, sharding and batch, as sampling gives them; gradients, tied and repeated.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bannedMask,
  type Device,
  deriveSeed,
  headDivergence,
  logProbs,
  openDevice,
  randomNormal,
  record,
  rowRange,
  sample,
  scope,
  Tensor,
  toBf16,
  topLogProbs,
} from "../src/index.ts";
import { matmulInto } from "../src/ops/matmul/dispatch.ts";
import { normal, relativeDifference, seededRandom } from "../src/testing/index.ts";
import { deviceKinds } from "./support/devices.ts";

const D = 20;

describe.each(deviceKinds)("head on %o", (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(kind);
  });
  afterAll(() => device.close());

  const matrix = (name: string, rows: number, width = D) => {
    const random = seededRandom(name);
    return Float32Array.from({ length: rows * width }, () => normal(random));
  };
  /** The matrix in shards of the given numbers of rows, or whole. */
  const weightOf = (values: Float32Array, dtype: "f32" | "bf16", shardRows?: readonly number[]): Tensor => {
    const data = dtype === "bf16" ? toBf16(values) : values;
    if (!shardRows) return device.tensor(data, [data.length / D, D], dtype);
    let start = 0;
    const shards = shardRows.map((rows) => {
      const part = data.subarray(start * D, (start + rows) * D);
      start += rows;
      return device.tensor(part, [rows, D], dtype);
    });
    expect(start * D).toBe(data.length);
    return new Tensor(device, [start, D], dtype, { shards });
  };

  test.each(["f32", "bf16"] as const)("%s: sampled and recomputed log-probs have equal bits", async (dtype) => {
    const [rows, vocabulary] = [37, 4500];
    const hidden = matrix("hidden", rows);
    const weight = matrix("weight", vocabulary);
    const bannedIds = [0, 256, 4499, ...Array.from({ length: 256 }, (_, i) => 512 + i)];
    const temperature = 0.83;
    const sampled = scope(() => {
      const logits = device.empty([rows, vocabulary]);
      const [a, b] = [device.tensor(hidden, [rows, D]), weightOf(weight, dtype)];
      matmulInto(device, { layout: "nt", a, b, out: logits, m: rows, n: vocabulary, k: D });
      const words = Array.from({ length: rows }, (_, r) => deriveSeed("head", r)).flat();
      const seeds = device.tensor(words, [rows, 2], "u32");
      return sample(logits, {
        temperature,
        seeds,
        position: 3,
        banned: bannedMask(device, vocabulary, bannedIds),
        topP: 0.9,
      });
    });
    const ids = [...(await sampled.ids.values())];
    const expected = await sampled.logProbs.values();
    sampled.ids.dispose();
    sampled.logProbs.dispose();
    expect(ids.filter((id) => bannedIds.includes(id))).toEqual([]);
    expect(new Set(ids).size).toBeGreaterThan(10);

    const recomputed = async (wanted: readonly number[], shardRows?: readonly number[]) => {
      const { logProb, entropy } = scope(() => {
        const part = Float32Array.from(wanted.flatMap((r) => [...hidden.subarray(r * D, (r + 1) * D)]));
        const pairs = { rows: wanted.map((_, k) => k), targets: wanted.map((r) => ids[r]!) };
        const a = device.tensor(part, [wanted.length, D]);
        return logProbs(a, weightOf(weight, dtype, shardRows), pairs, { temperature, bannedIds });
      });
      const values = [await logProb.values(), await entropy.values()] as const;
      logProb.dispose();
      entropy.dispose();
      return values;
    };
    const everyRow = Array.from({ length: rows }, (_, r) => r);
    const [whole, entropies] = await recomputed(everyRow);
    expect(whole).toEqual(expected);
    for (const shardRows of [
      [256, 2048, 2196],
      [16, 4484],
      [1000, 1000, 1000, 1500],
    ]) {
      expect(await recomputed(everyRow, shardRows)).toEqual([whole, entropies]);
    }
    for (const some of [[36, 3, 17, 3], [8]]) {
      const [few, fewEntropies] = await recomputed(some);
      expect([...few]).toEqual(some.map((r) => whole[r]));
      expect([...fewEntropies]).toEqual(some.map((r) => entropies[r]));
    }
  });

  test("the divergence of two heads: equal bits for any sharding and batch, 0 of a head from itself", async () => {
    const [rows, vocabulary] = [11, 4500];
    const temperature = 0.9;
    const divergences = async (
      direction: "forward" | "reverse",
      wanted: readonly number[],
      shardRows?: readonly number[],
      others = "others",
    ) => {
      const part = (name: string) =>
        device.tensor(
          wanted.flatMap((r) => [...matrix(name, rows).subarray(r * D, (r + 1) * D)]),
          [wanted.length, D],
        );
      const made = scope(() =>
        headDivergence(
          part("hidden"),
          weightOf(matrix("weight", vocabulary), "f32", shardRows),
          part(others === "others" ? "other hidden" : "hidden"),
          weightOf(
            matrix(others === "others" ? "other weight" : "weight", vocabulary),
            "bf16",
            shardRows?.toReversed(),
          ),
          { direction, temperature },
        ),
      );
      const values = [...(await made.values())];
      made.dispose();
      return values;
    };
    const everyRow = Array.from({ length: rows }, (_, r) => r);
    for (const direction of ["forward", "reverse"] as const) {
      const whole = await divergences(direction, everyRow);
      expect(whole.every((value) => value > 1)).toBe(true);
      expect(await divergences(direction, everyRow, [256, 2048, 2196])).toEqual(whole);
      expect(await divergences(direction, [10, 3, 3])).toEqual([10, 3, 3].map((r) => whole[r]));
      // The other head is the first one, rounded to bf16.
      const near = await divergences(direction, everyRow, undefined, "itself");
      expect(Math.max(...near.map(Math.abs))).toBeLessThan(1e-3);
    }
  });

  test("the likeliest ids have the bits of their log-probs", async () => {
    const [rows, vocabulary] = [7, 4500];
    const options = { temperature: 0.83, bannedIds: [0, 4499] };
    const { ids, logProbs: found } = scope(() =>
      topLogProbs(
        device.tensor(matrix("hidden", rows), [rows, D]),
        weightOf(matrix("weight", vocabulary), "f32"),
        5,
        options,
      ),
    );
    const targets = [...(await ids.values())];
    const pairs = { rows: targets.map((_, i) => Math.floor(i / 5)), targets };
    const { logProb, entropy } = scope(() =>
      logProbs(
        device.tensor(matrix("hidden", rows), [rows, D]),
        weightOf(matrix("weight", vocabulary), "f32"),
        pairs,
        options,
      ),
    );
    expect([...(await found.values())]).toEqual([...(await logProb.values())]);
    for (const tensor of [ids, found, logProb, entropy]) tensor.dispose();
  });

  test("the gradient of a sharded weight is sharded alike, with the bits of the whole one's", async () => {
    const [rows, vocabulary] = [70, 2600];
    const run = async (dtype: "f32" | "bf16", shardRows?: readonly number[]) => {
      const gradients = scope(() => {
        const hidden = device.tensor(matrix("hidden", rows), [rows, D]);
        const weight = weightOf(matrix("weight", vocabulary), dtype, shardRows);
        const pairs = { rows: [0, 3, 3, 69, 3], targets: [5, 2599, 700, 0, 700] };
        const recorded = record([hidden, weight], () => logProbs(hidden, weight, pairs, { temperature: 2 }));
        const ones = device.tensor([1, 2, 3, 4, 5], [5]);
        const view = rowRange(device.tensor([0, 1, 2, 3, 4, 5], [6]), 1, 6); // starts where no binding can
        return recorded.backward([
          [recorded.value.logProb, view],
          [recorded.value.entropy, ones],
        ]);
      });
      expect(gradients[1]!.shards?.map((s) => s.shape[0])).toEqual(shardRows);
      const values = await Promise.all(gradients.map((g) => g.values()));
      for (const gradient of gradients) gradient.dispose();
      return values;
    };
    for (const dtype of ["f32", "bf16"] as const) {
      const whole = await run(dtype);
      expect(await run(dtype, [256, 2000, 344])).toEqual(whole);
    }
  });

  test("a gradient through one output alone, by one input alone", async () => {
    const [rows, vocabulary] = [3, 300];
    const hidden = device.tensor(matrix("hidden", rows), [rows, D]);
    const weight = weightOf(matrix("weight", vocabulary), "f32");
    const pairs = { rows: [0, 1, 1], targets: [0, 299, 7] };
    const cotangent = device.tensor([1, -2, 0.5], [3]);
    const by = async (output: "logProb" | "entropy" | "both", wrt: readonly Tensor[]) => {
      const gradients = scope(() => {
        const recorded = record(wrt, () => logProbs(hidden, weight, pairs));
        const { logProb, entropy } = recorded.value;
        const seeds = output === "both" ? [logProb, entropy] : [recorded.value[output]];
        return recorded.backward(seeds.map((t) => [t, cotangent] as const));
      });
      const values = await Promise.all(gradients.map((g) => g.values()));
      for (const gradient of gradients) gradient.dispose();
      return values;
    };
    const [both, ofLogProb, ofEntropy] = [
      await by("both", [hidden, weight]),
      await by("logProb", [hidden]),
      await by("entropy", [weight]),
    ];
    const ofEntropyByHidden = (await by("entropy", [hidden]))[0]!;
    const summed = ofLogProb[0]!.map((x, i) => x + ofEntropyByHidden[i]!);
    expect(relativeDifference(summed, both[0]!)).toBeLessThan(1e-6);
    const ofLogProbByWeight = (await by("logProb", [weight]))[0]!;
    const summedWeight = ofEntropy[0]!.map((x, i) => x + ofLogProbByWeight[i]!);
    expect(relativeDifference(summedWeight, both[1]!)).toBeLessThan(1e-6);
    for (const tensor of [hidden, weight, cotangent]) tensor.dispose();
  });

  test("far tails: a target's log-prob stays exact where its probability underflows", async () => {
    const hidden = device.tensor([1, 0], [1, 2]);
    const weight = device.tensor([0, 0, -200, 0, -3000, 0, 0, 0], [4, 2]);
    const { logProb, entropy } = logProbs(
      hidden,
      weight,
      { rows: [0, 0, 0], targets: [0, 1, 2] },
      { temperature: 0.5 },
    );
    const values = await logProb.values();
    expect(values[0]).toBeCloseTo(-Math.LN2, 6);
    expect(values[1]).toBeCloseTo(-400 - Math.LN2, 3);
    expect(values[2]).toBeCloseTo(-6000 - Math.LN2, 2);
    expect((await entropy.values())[0]).toBeCloseTo(Math.LN2, 6);
    for (const tensor of [hidden, weight, logProb, entropy]) tensor.dispose();
  });

  test("refuses pairs, bans and temperatures that do not fit", () => {
    const before = device.memory().liveBytes;
    scope(() => {
      const hidden = randomNormal(device, [2, 4], [1, 2]);
      const weight = randomNormal(device, [5, 4], [3, 4]);
      const refused = (code: string, rows: number[], targets: number[], options = {}) =>
        expect(() => logProbs(hidden, weight, { rows, targets }, options)).toThrow(expect.objectContaining({ code }));
      refused("argument", [2], [0]);
      refused("argument", [-1], [0]);
      refused("argument", [0], [5]);
      refused("argument", [0], [0.5]);
      refused("argument", [0, 1], [0]);
      refused("argument", [0], [3], { bannedIds: [3] });
      refused("argument", [0], [3], { bannedIds: [5] });
      refused("argument", [0], [3], { temperature: -1 });
      refused("argument", [0], [3], { temperature: Number.POSITIVE_INFINITY });
      expect(() => logProbs(weight, randomNormal(device, [5, 3], [1, 1]), { rows: [], targets: [] })).toThrow(
        expect.objectContaining({ code: "shape" }),
      );
    });
    expect(device.memory().liveBytes).toBe(before);
  });

  test("a banned id outside the vocabulary is refused at the call, also where there is no row", () => {
    const [hidden, weight] = [device.tensor(new Float32Array(), [0, D]), weightOf(matrix("few", 2), "f32")];
    const outside = { bannedIds: [2] };
    const words = "banned id 2 is not in a vocabulary of 2";
    const none = { rows: new Int32Array(), targets: new Int32Array() };
    expect(() => logProbs(hidden, weight, none, outside)).toThrow(words);
    expect(() => topLogProbs(hidden, weight, 1, outside)).toThrow(words);
    expect(() => headDivergence(hidden, weight, hidden, weight, { direction: "forward", ...outside })).toThrow(words);
  });
});
