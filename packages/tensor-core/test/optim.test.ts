// AdamW, clipping and schedules beside PyTorch's and transformers' numbers; skipped steps, shards, run copies.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AdamW,
  clipByGlobalNorm,
  type Device,
  fromBf16,
  learningRateSchedule,
  openDevice,
  readClipDecision,
  type Tensor,
  toBf16,
} from "../src/index.ts";
import { normal, seededRandom } from "../src/testing/index.ts";
import { deviceKinds } from "./support/devices.ts";

type Named = Record<"w" | "b" | "s", number[]>;
interface Golden {
  cases: Record<
    string,
    {
      hyper: { betas: [number, number]; eps: number; weight_decay: number; clip: number | null };
      init: Named;
      steps: { lr: number; grad: Named; total_norm: number; param: Named; exp_avg: Named; exp_avg_sq: Named }[];
    }
  >;
  schedules: Record<string, number[]>;
}
const golden = JSON.parse(readFileSync(new URL("fixtures/optimizer/golden.json", import.meta.url), "utf8")) as Golden;
const names = ["w", "b", "s"] as const;
const TOLERANCE = 1e-6;

describe.each(deviceKinds)("optimizers on %o", (options) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(options);
  });
  afterAll(() => device.close());

  const vector = (values: readonly number[]) => device.tensor([...values], [values.length]);

  test.each(Object.entries(golden.cases))("%s", async (_name, { hyper, init, steps }) => {
    const before = device.memory().liveBytes;
    const masters = names.map((name) => vector(init[name]));
    const optimizer = new AdamW(
      masters.map((master) => ({ master })),
      { betas: hyper.betas, epsilon: hyper.eps, weightDecay: hyper.weight_decay },
    );
    for (const step of steps) {
      const gradients = names.map((name) => vector(step.grad[name]));
      const clip = clipByGlobalNorm(gradients, hyper.clip ?? Number.POSITIVE_INFINITY);
      optimizer.step(gradients, hyper.clip === null ? { learningRate: step.lr } : { learningRate: step.lr, clip });
      const decision = await readClipDecision(clip);
      expect(relative([decision.norm], [step.total_norm])).toBeLessThan(TOLERANCE);
      const pairs = names.flatMap((name, k) => {
        const { first, second } = optimizer.moments[k]!;
        return [
          [masters[k]!, step.param[name]],
          [first, step.exp_avg[name]],
          [second, step.exp_avg_sq[name]],
        ] as const;
      });
      const got = await Promise.all(pairs.map(([tensor]) => tensor.values()));
      pairs.forEach(([, expected], i) => {
        expect(relative(got[i]!, expected)).toBeLessThan(TOLERANCE);
      });
      for (const tensor of [...gradients, clip]) tensor.dispose();
    }
    expect(await optimizer.readSteps()).toEqual({ applied: steps.length, skipped: 0 });
    optimizer.dispose();
    for (const tensor of masters) tensor.dispose();
    expect(device.memory().liveBytes).toBe(before);
  });

  const poisons = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38];
  test.each(poisons.flatMap((poison) => [1, undefined].map((maxNorm) => [poison, maxNorm] as const)))(
    "a step with a gradient of %d, clipped at %s, changes nothing, not even the count that bias correction uses",
    async (poison, maxNorm) => {
      const random = seededRandom("skip");
      const gradients = [0, 1].map(() => Array.from({ length: 1003 }, () => normal(random)));
      const run = async (batches: readonly number[][]) => {
        const master = vector(Array.from({ length: 1003 }, (_, i) => Math.sin(i)));
        const runCopy = vector(new Array(1003).fill(7));
        const optimizer = new AdamW([{ master, runCopy }]);
        for (const batch of batches) {
          const gradient = vector(batch);
          const clip = maxNorm === undefined ? undefined : clipByGlobalNorm([gradient], maxNorm);
          optimizer.step([gradient], { learningRate: 0.1, ...(clip && { clip }) });
          gradient.dispose();
          clip?.dispose();
        }
        const { first, second } = optimizer.moments[0]!;
        const values = await Promise.all([master, runCopy, first, second].map((t) => t.values()));
        const steps = await optimizer.readSteps();
        optimizer.dispose();
        master.dispose();
        runCopy.dispose();
        return { values, steps };
      };
      const poisoned = gradients[0]!.map((g, i) => (i === 1002 ? poison : g));
      const clean = await run(gradients);
      const skipping = await run([gradients[0]!, poisoned, gradients[1]!]);
      expect(skipping.values).toEqual(clean.values);
      expect(skipping.steps).toEqual({ applied: 2, skipped: 1 });
      const first = await run([poisoned]);
      expect(first.values[1]).toEqual(new Float32Array(1003).fill(7));
    },
  );

  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "a step is not applied where another tensor that must be finite holds %d, though the gradients are finite",
    async (poison) => {
      const master = vector([1, 2, 3]);
      const optimizer = new AdamW([{ master }]);
      for (const also of [
        [0, 1],
        [0, poison],
      ]) {
        const [gradient, fine, watched] = [vector([1, -1, 2]), vector([4]), vector(also)];
        const clip = clipByGlobalNorm([gradient], 1, [fine, watched, fine]);
        optimizer.step([gradient], { learningRate: 0.1, clip });
        const { finite, norm } = await readClipDecision(clip);
        expect([finite, norm]).toEqual([also.every(Number.isFinite), Math.fround(Math.sqrt(6))]);
        for (const tensor of [gradient, fine, watched, clip]) tensor.dispose();
      }
      expect(await optimizer.readSteps()).toEqual({ applied: 1, skipped: 1 });
      optimizer.dispose();
      master.dispose();
    },
  );

  test("shards, views and whole tensors give equal bits; the run copy is the master rounded to nearest even", async () => {
    const random = seededRandom("shards");
    const [rows, width] = [600, 6];
    const make = (dtype: "f32" | "bf16", sharded: boolean) =>
      device.emptyMatrix([rows, width], dtype, sharded ? 256 * width * (dtype === "bf16" ? 2 : 4) : undefined);
    const start = Float32Array.from({ length: rows * width }, () => normal(random));
    const gradientValues = Float32Array.from({ length: rows * width }, () => normal(random));
    const fillRows = (tensor: Tensor, values: Float32Array) => {
      for (const { start: row, tensor: part } of tensor.parts())
        part.write(values.subarray(row * width, row * width + part.size));
    };
    const results = [];
    for (const sharded of [false, true]) {
      const master = make("f32", sharded);
      const runCopy = make("bf16", sharded);
      const gradient = make("f32", sharded);
      fillRows(master, start);
      fillRows(gradient, gradientValues);
      const optimizer = new AdamW([{ master, runCopy }]);
      const clip = clipByGlobalNorm([gradient], 1e9);
      optimizer.step([gradient], { learningRate: 0.01, clip });
      const values = (await master.values()) as Float32Array;
      const run = (await runCopy.read()) as Uint16Array;
      expect(run).toEqual(toBf16(values));
      results.push(values);
      optimizer.dispose();
      for (const tensor of [master, runCopy, gradient, clip]) tensor.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[0]).not.toEqual(start);
  });

  test("bf16 rounding by bits: ties, overflow, subnormals", async () => {
    // With no decay and a zero gradient the master stays as it is, so the run copy shows the rounding alone.
    const bits = [0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x00000001, 0x80008000, 0x80000000];
    const values = new Float32Array(Uint32Array.from(bits).buffer);
    const master = device.tensor(values, [values.length]);
    const widened = device.tensor(values, [values.length]);
    const runCopy = device.empty([values.length], "bf16");
    const runVector = device.empty([values.length]);
    const gradient = vector(new Array(values.length).fill(0));
    const clip = clipByGlobalNorm([gradient], 1);
    const optimizer = new AdamW([
      { master, runCopy, weightDecay: 0 },
      { master: widened, runCopy: runVector, weightDecay: 0 },
    ]);
    optimizer.step([gradient, gradient], { learningRate: 0.01, clip });
    const rounded = (await runCopy.read()) as Uint16Array;
    expect(rounded).toEqual(toBf16((await master.values()) as Float32Array));
    expect([...rounded.subarray(0, 5)]).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80]);
    expect(await runVector.read()).toEqual(fromBf16(rounded));
    optimizer.dispose();
    for (const tensor of [master, widened, runCopy, runVector, gradient, clip]) tensor.dispose();
  });

  test("bias correction stays exact over many steps", async () => {
    const master = vector([1]);
    const gradient = vector([0.5]);
    const optimizer = new AdamW([{ master }], { betas: [0.9, 0.9999] });
    for (let step = 1; step <= 100; step++) {
      const clip = clipByGlobalNorm([gradient], 1);
      optimizer.step([gradient], { learningRate: 0, clip });
      clip.dispose();
      if (![1, 2, 3, 10, 30, 100].includes(step)) continue;
      const [applied, , correction1, correction2] = await optimizer.counter.values();
      expect(applied).toBe(step);
      expect(Math.abs(correction1! / (1 - 0.9 ** step) - 1)).toBeLessThan(5e-7);
      expect(Math.abs(correction2! / Math.sqrt(-Math.expm1(step * Math.log(0.9999))) - 1)).toBeLessThan(5e-7);
    }
    optimizer.dispose();
    master.dispose();
    gradient.dispose();
  });

  test("the global norm is that of all gradients together, of any size", async () => {
    const random = seededRandom("norm");
    const arrays = [1, 3, 4, 5, 1000, 70_001].map((n) => Array.from({ length: n }, () => normal(random)));
    const expected = Math.sqrt(arrays.flat().reduce((sum, x) => sum + x * x, 0));
    const gradients = arrays.map(vector);
    const clip = clipByGlobalNorm(gradients, 2);
    const decision = await readClipDecision(clip);
    expect(decision.norm / expected).toBeCloseTo(1, 6);
    expect(decision.factor).toBeCloseTo(2 / expected, 8);
    for (const tensor of [...gradients, clip]) tensor.dispose();
  });

  test("refuses what does not fit", () => {
    const master = vector([1, 2]);
    const other = vector([1, 2, 3]);
    const clip = clipByGlobalNorm([master], 1);
    const optimizer = new AdamW([{ master }]);
    const step = (gradients: Tensor[], learningRate = 0.1) => optimizer.step(gradients, { learningRate, clip });
    expect(() => step([other])).toThrow(expect.objectContaining({ code: "shape" }));
    expect(() => step([])).toThrow(expect.objectContaining({ code: "argument" }));
    expect(() => step([master], Number.NaN)).toThrow(expect.objectContaining({ code: "argument" }));
    for (const wrong of [master, 1, { norm: 1 }]) // as JavaScript may pass it
      expect(() => optimizer.step([master], { learningRate: 0.1, clip: wrong as Tensor })).toThrow(
        expect.objectContaining({ code: "argument", message: expect.stringContaining("clipByGlobalNorm") }),
      );
    expect(() => new AdamW([])).toThrow(expect.objectContaining({ code: "argument" }));
    expect(() => new AdamW([{ master }], { betas: [0.9, 1] })).toThrow(expect.objectContaining({ code: "argument" }));
    expect(() => new AdamW([{ master, runCopy: other }])).toThrow(expect.objectContaining({ code: "shape" }));
    expect(() => clipByGlobalNorm([], 1)).toThrow(expect.objectContaining({ code: "argument" }));
    expect(() => clipByGlobalNorm([master], 0)).toThrow(expect.objectContaining({ code: "argument" }));
    optimizer.dispose();
    for (const tensor of [master, other, clip]) tensor.dispose();
  });
});

describe("schedules", () => {
  test.each([
    ["cosine_warmup_5_total_30", { kind: "cosine", warmupSteps: 5, totalSteps: 30 }],
    ["linear_warmup_5_total_30", { kind: "linear", warmupSteps: 5, totalSteps: 30 }],
    ["constant_warmup_5", { kind: "constant", warmupSteps: 5 }],
    ["cosine_warmup_0_total_30", { kind: "cosine", totalSteps: 30 }],
  ] as const)("%s", (name, options) => {
    const expected = golden.schedules[name]!;
    const schedule = learningRateSchedule(options);
    for (const [step, multiplier] of expected.entries()) expect(schedule(step)).toBeCloseTo(multiplier, 12);
  });

  test.each([
    { kind: "linear" },
    { kind: "cosine", warmupSteps: 5, totalSteps: 5 },
    { kind: "constant", warmupSteps: -1 },
    { kind: "linear", totalSteps: 1.5 },
  ] as const)("refuses %o", (options) => {
    expect(() => learningRateSchedule(options)).toThrow(expect.objectContaining({ code: "argument" }));
  });
});

/** Largest difference over the largest value of the reference. */
function relative(got: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE);
  return Math.max(...expected.map((x, i) => Math.abs(got[i]! - x))) / scale;
}
