// Tensors that share buffers: which are taken together, and that an optimizer's step, the norm and gradients have the bits of tensors by themselves.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  AdamW,
  add,
  checkpoint,
  clipByGlobalNorm,
  type Device,
  emptyAlike,
  emptyPack,
  emptyStack,
  linear,
  mean,
  neighbors,
  openDevice,
  readClipDecision,
  record,
  rmsNorm,
  rowRange,
  scope,
  spanOf,
  square,
  stackOf,
  type Tensor,
} from "../src/index.ts";
import { normal, seededRandom } from "../src/testing/random.ts";
import { deviceKinds } from "./support/devices.ts";

describe.each(deviceKinds)("on %o", (kind) => {
  let device: Device;
  let live = 0;
  beforeAll(async () => {
    device = await openDevice(kind);
  });
  afterAll(() => device.close());
  beforeEach(() => {
    live = device.memory().liveBytes;
  });
  afterEach(() => {
    expect(device.memory().liveBytes).toBe(live);
  });

  const random = seededRandom("pack");
  const numbers = (size: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: size }, () => normal(random));
  const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const bits = async (tensor: Tensor): Promise<Uint32Array> => {
    const values = await tensor.values();
    return new Uint32Array(values.buffer, values.byteOffset, values.length);
  };
  const disposeAll = (...lists: (readonly (Tensor | undefined)[])[]): void => {
    for (const tensor of lists.flat()) tensor?.dispose();
  };

  /** The same values in a pack, and each by itself. */
  const both = (shapes: readonly (readonly number[])[], values = shapes.map((shape) => numbers(sizeOf(shape)))) => {
    const packed = emptyPack(
      device,
      shapes.map((shape) => [shape]),
      "f32",
    );
    const alone = shapes.map((shape, i) => device.tensor(values[i]!, shape));
    for (const [i, tensor] of packed.entries()) tensor.write(values[i]!);
    return { packed, alone };
  };

  const SHAPES = [[64, 8], [3], [5, 7], [130, 9], [1], [16, 16], [70_001], [300, 128]] as const;

  test("neighbors are those with nothing but gaps between them, in whatever order they are given", () => {
    const pack = emptyPack(device, SHAPES.map((shape) => [shape]), "f32"); // biome-ignore format: a list
    expect(neighbors([pack])).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]]);
    expect(neighbors([pack.toReversed()])).toEqual([[7, 6, 5, 4, 3, 2, 1, 0]]);
    expect(neighbors([pack], (one) => one !== 3)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    const without = pack.filter((_, i) => i !== 4); // one element, whose place is not a gap
    expect(neighbors([without])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6],
    ]);
    const twins = emptyAlike(without);
    expect(neighbors([without, twins])).toEqual(neighbors([without]));
    const others = emptyPack(device, without.map(({ shape }) => [shape]), "f32"); // biome-ignore format: a list
    expect(neighbors([without, others]).map((run) => run.length)).toEqual([4, 3]);
    const moved = emptyPack(device, [[[5]], ...without.slice(1).map(({ shape }) => [shape])], "f32");
    expect(neighbors([without, moved])[0], "other distances").toEqual([0]);
    const span = spanOf(pack, [0, 1, 2]);
    expect([span.shape.length, span.byteOffset]).toEqual([1, 0]);
    expect(span.size).toBe(pack[2]!.byteOffset / 4 + 35);
    disposeAll(pack, twins, others, moved, [span]);
  });

  test("siblings touch where they can, and views that no twin could be bound at are not joined", () => {
    const pack = emptyPack(device, [[[16, 64], [32, 64], [8, 64]], [[3]]], "f32"); // biome-ignore format: a list
    const joined = stackOf(pack.slice(0, 3));
    expect(joined?.shape).toEqual([56, 64]);
    const [x] = emptyStack(device, [[6, 7]], "f32")!;
    const rows = [rowRange(x!, 0, 3), rowRange(x!, 3, 6)];
    expect(neighbors([rows])).toEqual([[0], [1]]);
    expect(() => emptyPack(device, [[[4]], [[2 ** 31]]], "f32")).toThrow("more than one binding may span");
    disposeAll(pack, [joined, x], rows);
  });

  test.each(["none", "f32", "bf16"] as const)(
    "a step has the bits of tensors by themselves, run copy %s",
    async (copy) => {
      const even = [[64, 8], [4], [5, 6], [130, 10], [2], [16, 16], [70_002], [300, 128]];
      const shapes = copy === "bf16" ? even : SHAPES;
      const decays = [undefined, 0, 0, undefined, undefined, 0.3, undefined, undefined];
      const [weights, slopes] = [shapes, shapes].map((all) => all.map((shape) => numbers(sizeOf(shape))));
      const results: Uint32Array[][] = [];
      const counts: number[] = [];
      for (const isPacked of [false, true]) {
        const groups = shapes.map((shape) => [shape]);
        const copies = emptyPack(device, groups, copy === "bf16" ? "bf16" : "f32");
        const like = isPacked ? copies : shapes.map((shape) => device.empty(shape));
        const [masters, gradients] = [emptyAlike(like), emptyAlike(like)];
        for (const [i, master] of masters.entries()) master.write(weights![i]!);
        for (const [i, gradient] of gradients.entries()) gradient.write(slopes![i]!);
        const order = [4, 2, 0, 7, 1, 3, 6, 5];
        const optimizer = new AdamW(
          order.map((i) => ({
            master: masters[i]!,
            ...(copy !== "none" && { runCopy: copies[i]! }),
            ...(decays[i] !== undefined && { weightDecay: decays[i] }),
          })),
        );
        const ordered = order.map((i) => gradients[i]!);
        const before = device.dispatches;
        for (let step = 0; step < 3; step++) {
          using clip = clipByGlobalNorm(ordered, 1);
          optimizer.step(ordered, { learningRate: 0.01 * (step + 1), clip });
        }
        counts.push(device.dispatches - before);
        const moments = optimizer.moments.flatMap(({ first, second }) => [first, second]);
        const tensors = [...masters, ...moments, ...(copy === "none" ? [] : copies)];
        results.push(await Promise.all(tensors.map(bits)));
        optimizer.dispose();
        disposeAll(copies, masters, gradients, isPacked ? [] : like);
      }
      expect(results[1]).toEqual(results[0]);
      // Alone: eight updates, eight norms. Packed, three of each step's: those that decay alike lie together.
      expect(counts[1]).toBeLessThan(counts[0]! - 3 * 8);
    },
  );

  test("what lies between neighbors of an optimizer stays as it is", async () => {
    const { packed, alone } = both(SHAPES);
    const kept = await bits(packed[4]!);
    const trained = packed.filter((_, i) => i !== 4);
    const gradients = emptyAlike(trained);
    for (const gradient of gradients) gradient.write(numbers(gradient.size));
    const optimizer = new AdamW(trained.map((master) => ({ master })));
    optimizer.step(gradients, { learningRate: 0.1 });
    expect(await bits(packed[4]!)).toEqual(kept);
    expect(await bits(packed[5]!)).not.toEqual(await bits(alone[5]!));
    optimizer.dispose();
    disposeAll(packed, alone, gradients);
  });

  test("the norm has the bits of tensors by themselves, of any size and number", async () => {
    const many = Array.from({ length: 70 }, (_, i) => [1 + ((i * 37) % 90)]);
    const long = [[16_384], [16_388], [16_385], [4096], [4097], [262_144], [262_143], [65_536], [262_148], [12]];
    for (const shapes of [SHAPES, many, long]) {
      const { packed, alone } = both(shapes);
      const [got, expected] = await Promise.all(
        [packed, alone].map(async (tensors) => {
          using clip = clipByGlobalNorm(tensors, 0.5);
          return await readClipDecision(clip);
        }),
      );
      expect(got).toEqual(expected);
      expect(got?.finite).toBe(true);
      disposeAll(packed, alone);
    }
  });

  test.each([0, 9, 69])("a NaN in tensor %d of many is found", async (place) => {
    const shapes = Array.from({ length: 70 }, (_, i) => [5 + i]);
    const { packed, alone } = both(shapes);
    packed[place]!.write(Float32Array.of(Number.NaN), 4 + place);
    using clip = clipByGlobalNorm(packed, 1);
    expect((await readClipDecision(clip)).finite).toBe(false);
    disposeAll(packed, alone);
  });

  test("gradients of neighbors are neighbors, to the bits of those by themselves: used once, twice, not at all, and recomputed", async () => {
    const shapes = [[8, 8], [8], [8], [12, 8], [12], [3, 5], [8, 8]] as const;
    const { packed, alone } = both(shapes);
    using x = device.tensor(numbers(40), [5, 8]);
    const model = (w: readonly Tensor[], recompute: boolean): Tensor => {
      const [first, bias, norm, second, other] = w as unknown as Tensor[];
      const layer = (h: Tensor): Tensor => add(linear(rmsNorm(h, norm!, 1e-5), first!, bias!), h);
      const once = recompute ? checkpoint(layer, [x]) : layer(x);
      const twice = recompute ? checkpoint(layer, [once]) : layer(once);
      return mean(square(add(linear(twice, second!, other!), linear(linear(twice, w[6]!), second!))));
    };
    const results: Uint32Array[][] = [];
    for (const [weights, recompute] of [
      [alone, false],
      [packed, false],
      [packed, true],
    ] as const) {
      const gradients = scope(() => {
        const recorded = record(weights, () => scope(() => model(weights, recompute)));
        return recorded.backward(recorded.value);
      });
      if (weights === packed) expect(neighbors([packed, gradients]).map(({ length }) => length)).toEqual([7]);
      results.push(await Promise.all(gradients.map(bits)));
      disposeAll(gradients);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[0]![5]!.every((word) => word === 0)).toBe(true);
    expect(results[0]![0]!.some((word) => word !== 0)).toBe(true);
    disposeAll(packed, alone);
  });

  test("a source that is itself what is differentiated, and one whose gradient is handed on, lie in their places too", async () => {
    const { packed, alone } = both([[4], [4], [4]]);
    const results: number[][][] = [];
    for (const [a, b, c] of [packed, alone] as unknown as Tensor[][]) {
      using one = device.tensor([1, 2, 3, 4], [4]);
      const gradients = scope(() => {
        const recorded = record([a!, b!, c!], () => add(a!, b!));
        return recorded.backward([
          [recorded.value, one],
          [c!, one],
          [recorded.value, one],
        ]);
      });
      results.push(await Promise.all(gradients.map(async (tensor) => [...(await tensor.values())])));
      disposeAll(gradients);
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toEqual([
      [2, 4, 6, 8],
      [2, 4, 6, 8],
      [1, 2, 3, 4],
    ]);
    disposeAll(packed, alone);
  });
});
