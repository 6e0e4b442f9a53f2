// Sampling beside exact probabilities: which ids may be chosen, how often they are, and that a row depends on nothing but itself.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bannedMask,
  type Device,
  deriveSeed,
  openDevice,
  type RepetitionPenalty,
  rowRange,
  type SampleOptions,
  sample,
  scope,
  type Tensor,
  tokenBias,
} from "../src/index.ts";
import { fill } from "../src/ops/fill.ts";
import { blockStates, mergeStates } from "../src/ops/head/block-states.ts";
import { inverseTemperature } from "../src/ops/head/log-probs.ts";
import { thresholdsOf } from "../src/ops/sampling/threshold.ts";
import { normal, seededRandom } from "../src/testing/index.ts";
import { deviceKinds } from "./support/devices.ts";

interface Settings {
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly banned?: readonly number[];
  readonly bias?: ReadonlyMap<number, number>;
  readonly seen?: readonly number[];
  readonly factor?: number;
}

/** Exact probabilities in f64: penalty, bias, ban, temperature, top-k with ties, top-p with ties. */
function probabilities(logits: readonly number[], settings: Settings): number[] {
  const { temperature, topK = 0, topP = 1, banned = [], bias, seen = [], factor = 1 } = settings;
  const z = logits.map((logit, id) => {
    if (banned.includes(id)) return Number.NEGATIVE_INFINITY;
    const penalized = seen.includes(id) ? (logit > 0 ? logit / factor : logit * factor) : logit;
    return (penalized + (bias?.get(id) ?? 0)) / temperature;
  });
  const sorted = z.filter((x) => x > Number.NEGATIVE_INFINITY).sort((a, b) => b - a);
  const kept = topK > 0 ? sorted.filter((x) => x >= sorted[Math.min(topK, sorted.length) - 1]!) : sorted;
  const mass = (x: number) => Math.exp(x - sorted[0]!);
  const total = kept.reduce((sum, x) => sum + mass(x), 0);
  let reached = 0;
  let size = 0;
  while (size < kept.length && (size === 0 || topP === 1 || reached < topP * total)) reached += mass(kept[size++]!);
  const last = kept[size - 1];
  const weights = z.map((x) => (x >= last! ? mass(x) : 0));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

describe.each(deviceKinds)("sampling on %o", (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(kind);
  });
  afterAll(() => device.close());

  const seedTensor = (rows: number, name = "sampling"): Tensor => {
    const words = new Uint32Array(rows * 2);
    for (let r = 0; r < rows; r++) words.set(deriveSeed(name, r), r * 2);
    return device.tensor(words, [rows, 2]);
  };

  /** Samples of rows x vocabulary logits; everything made on the way is freed. */
  async function run(logits: readonly (readonly number[])[], settings: Settings, position = 0, seeds?: Tensor) {
    const rows = logits.length;
    const vocabulary = logits[0]!.length;
    const { ids, logProbs } = scope(() => {
      const { temperature, topK, topP, banned, bias, seen, factor = 1 } = settings;
      const columns = (seen ?? []).flatMap((id) => new Array<number>(rows).fill(id));
      const repetition: RepetitionPenalty | undefined = seen && {
        ids: device.tensor(Uint32Array.from(columns), [seen.length, rows]),
        factor,
      };
      const options: SampleOptions = {
        temperature,
        position,
        seeds: seeds ?? seedTensor(rows),
        ...(topK !== undefined && { topK }),
        ...(topP !== undefined && { topP }),
        ...(banned && { banned: bannedMask(device, vocabulary, banned) }),
        ...(bias && { bias: tokenBias(device, vocabulary, bias) }),
        ...(repetition && { repetition }),
      };
      return sample(device.tensor(Float32Array.from(logits.flat()), [rows, vocabulary]), options);
    });
    const result = { ids: [...(await ids.values())], logProbs: (await logProbs.values()) as Float32Array };
    ids.dispose();
    logProbs.dispose();
    return result;
  }

  const random = seededRandom("logits");
  const logitsOf = (vocabulary: number, deviation = 2) =>
    Array.from({ length: vocabulary }, () => Math.fround(deviation * normal(random)));

  const small = logitsOf(12);
  const blocks = logitsOf(600);
  const cases: [string, readonly number[], Settings][] = [
    ["plain", small, { temperature: 1 }],
    ["over blocks", blocks, { temperature: 0.8 }],
    ["hot, banned", blocks, { temperature: 1.7, banned: Array.from({ length: 300 }, (_, i) => i) }],
    ["top-k", blocks, { temperature: 1, topK: 9 }],
    ["top-p", blocks, { temperature: 1, topP: 0.6 }],
    ["top-k then top-p", blocks, { temperature: 1.2, topK: 40, topP: 0.8, banned: [3] }],
    [
      "bias",
      small,
      {
        temperature: 1,
        bias: new Map([
          [0, 2.5],
          [11, -30],
        ]),
      },
    ],
    ["penalty", small, { temperature: 1, seen: [1, 2, 2, 5, 99], factor: 1.8 }],
    [
      "penalty, bias, top-p",
      small,
      { temperature: 0.9, seen: [0, 7], factor: 1.3, bias: new Map([[7, 1]]), topP: 0.9 },
    ],
  ];

  test.each(cases)("%s: ids come as often as their probabilities say", async (_name, logits, settings) => {
    const draws = 2048;
    const expected = probabilities(logits, settings);
    const { ids, logProbs } = await run(new Array(draws).fill(logits), settings);
    const counts = new Array<number>(logits.length).fill(0);
    for (const id of ids) counts[id]!++;
    counts.forEach((count, id) => {
      if (expected[id] === 0) expect(count, `id ${id} cannot be chosen`).toBe(0);
    });
    // Log-probs are those of the ban set and the temperature alone.
    const { temperature, banned } = settings;
    const scored = probabilities(logits, { temperature, ...(banned && { banned }) });
    ids.forEach((id, i) => {
      expect(Math.abs(logProbs[i]! - Math.log(scored[id]!))).toBeLessThan(1e-5);
    });
    const { statistic, freedom } = chiSquare(counts, expected, draws);
    expect(statistic).toBeLessThan(chiSquareQuantile(freedom));
    expect(freedom).toBeGreaterThanOrEqual(2);
  });

  test("greedy takes the largest allowed logit, the lowest id of equal ones", async () => {
    const logits = logitsOf(900);
    logits[300] = 50;
    logits[17] = 50;
    logits[600] = 60;
    const { ids, logProbs } = await run([logits, logits.map((x) => -x - 100)], {
      temperature: 0,
      banned: [600],
      topK: 2,
    });
    const inverted = logits.map((x, id) => (id === 600 ? Number.POSITIVE_INFINITY : x));
    expect(ids).toEqual([17, inverted.indexOf(Math.min(...inverted))]);
    const expected = Math.log(probabilities(logits, { temperature: 1, banned: [600] })[17]!);
    expect(logProbs[0]).toBeCloseTo(expected, 5);
  });

  test("a row's sample depends on its logits, seed and position, not on its batch", async () => {
    const logits = Array.from({ length: 9 }, () => logitsOf(300));
    const settings = { temperature: 1, topP: 0.95, banned: [0] };
    const all = await run(logits, settings, 5);
    for (const row of [0, 4, 8]) {
      const seed = device.tensor(Uint32Array.from(deriveSeed("sampling", row)), [1, 2]);
      const alone = await run([logits[row]!], settings, 5, seed);
      expect(alone.ids[0]).toBe(all.ids[row]);
      expect(alone.logProbs[0]).toBe(all.logProbs[row]);
      seed.dispose();
    }
    const seeds = seedTensor(9);
    const view = rowRange(seeds, 3, 6);
    expect((await run(logits.slice(3, 6), settings, 5, view)).ids).toEqual(all.ids.slice(3, 6));
    view.dispose();
    seeds.dispose();
    expect((await run(logits, settings, 5)).ids).toEqual(all.ids);
    expect((await run(logits, settings, 6)).ids).not.toEqual(all.ids);
  });

  test("extreme logits give a valid id; a row with NaN or infinity, or with -infinity only, gives no id and a log-prob of NaN", async () => {
    const none = 0xffffffff;
    const { NaN: nan, NEGATIVE_INFINITY: low, POSITIVE_INFINITY: high } = Number;
    const rows = [
      [1e30, -1e30, low, 1e30, 0],
      [low, 5, low, 5, low],
      [nan, nan, nan, nan, nan],
      [1, 2, nan, 3, 4],
      [1, 2, high, 3, 4],
      [low, low, low, low, low],
      [1, 2, 3, 4, 5],
    ];
    const all = [{ temperature: 1 }, { temperature: 1e-6 }, { temperature: 0 }, { temperature: 1, topK: 2, topP: 0.9 }];
    for (const settings of all) {
      const { ids, logProbs } = await run(rows, settings);
      expect([0, 3]).toContain(ids[0]);
      expect([1, 3]).toContain(ids[1]);
      expect(logProbs[0]).toBeCloseTo(Math.log(0.5), 5);
      expect(logProbs[1]).toBeCloseTo(Math.log(0.5), 5);
      expect([...ids.slice(2, 6)]).toEqual([none, none, none, none]);
      expect([...logProbs.slice(2, 6)]).toEqual([nan, nan, nan, nan]);
      expect(ids[6]).toBeLessThan(5);
      expect(logProbs[6]).toBeLessThanOrEqual(0);
    }
    for (const temperature of [1e-39, 1e-31])
      await expect(run(rows, { temperature })).rejects.toThrow(/temperature is 0 or/);
  });

  test("truncation keeps exactly the reference's ids", async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 0, max: 30 }),
      fc.constantFrom(1, 0.999, 0.9, 0.5, 0.01),
      fc.constantFrom(0.3, 1, 2),
      fc.infiniteStream(fc.float({ min: -8, max: 8, noNaN: true })),
      async (vocabulary, topK, topP, temperature, numbers) => {
        const rows = Array.from({ length: 16 }, () => [...numbers.take(vocabulary)]);
        const banned = vocabulary > 5 ? [1, 4] : [];
        const thresholds = scope(() => {
          const logits = device.tensor(Float32Array.from(rows.flat()), [rows.length, vocabulary]);
          const mask = bannedMask(device, vocabulary, banned);
          const inverse = inverseTemperature(temperature);
          const slice = { logits, rows: rows.length, columns: vocabulary, stride: vocabulary, firstColumn: 0 };
          const totals = fill(device, [rows.length, 4], 0);
          mergeStates(device, totals, blockStates(device, slice, mask, inverse), inverse);
          return thresholdsOf(device, logits, mask, totals, { topK, topP }, inverse);
        });
        const values = await thresholds.values();
        thresholds.dispose();
        rows.forEach((row, r) => {
          const kept = (p: number) =>
            probabilities(row, { temperature, topK, topP: Math.min(p, 1), banned }).map((x) => x > 0);
          const got = row.map((x, id) => !banned.includes(id) && sortKey(x) >= values[r]!);
          // Where the sum comes within rounding of topP the set may be one id larger or smaller.
          const allowed = [topP, topP * (1 - 1e-6), topP * (1 + 1e-6)].map((p) => kept(p).join());
          expect(allowed).toContain(got.join());
        });
      },
    );
    await fc.assert(property, { numRuns: process.env.IAPO_FULL === "1" ? 100 : 12, seed: 7 });
  });

  test("refuses what does not fit, and leaks nothing", () => {
    const before = device.memory().liveBytes;
    scope(() => {
      const logits = device.tensor(new Float32Array(6), [2, 3]);
      const seeds = seedTensor(2);
      const good = { temperature: 1, seeds, position: 0 };
      const refused = (code: string, options: Partial<SampleOptions>, of: Tensor = logits) =>
        expect(() => sample(of, { ...good, ...options })).toThrow(expect.objectContaining({ code }));
      refused("argument", { temperature: -1 });
      refused("argument", { temperature: Number.NaN });
      refused("argument", { topK: 1.5 });
      refused("argument", { topP: 0 });
      refused("argument", { position: -1 });
      refused("shape", { seeds: seedTensor(3) });
      refused("dtype", { seeds: logits });
      refused("shape", { banned: device.tensor(new Uint32Array(2), [2]) });
      refused("argument", { repetition: { ids: device.tensor(new Uint32Array(2), [1, 2]), factor: 0 } });
      refused("shape", {}, device.tensor(new Float32Array(0), [2, 0]));
      expect(() => tokenBias(device, 3, new Map([[3, 1]]))).toThrow(expect.objectContaining({ code: "argument" }));
      expect(() => bannedMask(device, 3, [0, 1, 2])).toThrow(expect.objectContaining({ code: "argument" }));
    });
    expect(device.memory().liveBytes).toBe(before);
  });
});

/** Pearson's statistic; ids whose expected count is below 5 are counted together. */
function chiSquare(counts: readonly number[], expected: readonly number[], draws: number) {
  let statistic = 0;
  let bins = 0;
  let rareCount = 0;
  let rareExpected = 0;
  counts.forEach((count, id) => {
    const mean = expected[id]! * draws;
    if (mean < 5) {
      rareCount += count;
      rareExpected += mean;
      return;
    }
    statistic += (count - mean) ** 2 / mean;
    bins++;
  });
  if (rareExpected > 1) {
    statistic += (rareCount - rareExpected) ** 2 / rareExpected;
    bins++;
  }
  return { statistic, freedom: bins - 1 };
}

/** The value that chi-square passes with probability 1 in 1000 (Wilson and Hilferty). */
function chiSquareQuantile(freedom: number): number {
  const part = 2 / (9 * freedom);
  return freedom * (1 - part + 3.09 * Math.sqrt(part)) ** 3;
}

function sortKey(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0]!;
  return bits > 0x80000000 ? ~bits >>> 0 : (bits | 0x80000000) >>> 0;
}
