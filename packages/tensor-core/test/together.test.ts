// Kernels that do in one pass what several ops do: to the bits of these.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  add,
  addScaled,
  concat,
  type Device,
  emptyPack,
  emptyStack,
  linear,
  linearSideBySide,
  linearTogether,
  noGrad,
  openDevice,
  RowIndex,
  record,
  rmsNorm,
  rope,
  ropeHeads,
  ropeIntoCache,
  rowRange,
  scope,
  siluGate,
  siluGateHalves,
  slice,
  split,
  stackOf,
  type Tensor,
  takesUpdate,
  toBf16,
  writeRows,
} from "../src/index.ts";
import { normal, seededRandom } from "../src/testing/random.ts";
import { deviceKinds } from "./support/devices.ts";

describe.each(deviceKinds)("on %o", (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(kind);
  });
  afterAll(() => {
    expect(device.memory().liveBytes).toBe(0);
    device.close();
  });

  const random = seededRandom("together");
  const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => normal(random));
  const made = (shape: readonly number[], dtype: "f32" | "bf16" = "f32"): Tensor => {
    const values = numbers(shape.reduce((a, b) => a * b, 1));
    return dtype === "bf16" ? device.tensor(toBf16(values), shape) : device.tensor(values, shape);
  };
  const bits = async (tensor: Tensor): Promise<Uint32Array> => {
    const values = await tensor.values();
    tensor.dispose();
    return new Uint32Array(values.buffer, values.byteOffset, values.length);
  };
  /** Tensors of one buffer with the values of others. */
  const sideBySide = (tensors: readonly Tensor[]): readonly Tensor[] => {
    const shapes = tensors.map(({ shape }) => shape);
    const stack = emptyStack(device, shapes, tensors[0]!.dtype) ?? emptyPack(device, [shapes], tensors[0]!.dtype);
    stack.forEach((copy, i) => {
      device.copyBytes(tensors[i]!, 0, copy, 0, copy.bytes);
    });
    return stack;
  };

  test.each([
    { rows: 3, k: 520, dtype: "bf16" },
    { rows: 16, k: 2312, dtype: "f32" },
    { rows: 70, k: 264, dtype: "bf16" },
  ] as const)("three projections of $rows rows, k $k, $dtype", async ({ rows, k, dtype }) => {
    const widths = [128, 64, 64];
    const [rank, scale] = [8, 1.7];
    const { together, apart } = scope(() => {
      const x = made([rows, k]);
      const weights = sideBySide(widths.map((n) => made([n, k], dtype)));
      const biases = sideBySide(widths.map((n) => made([n])));
      const [as, bs] = [sideBySide(widths.map(() => made([rank, k]))), sideBySide(widths.map((n) => made([n, rank])))];
      const residual = made([rows, 256]);
      const [weight, bias, a, up] = [weights, biases, as, bs].map((list) => stackOf(list)!) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const update = { a, up, rank, scale, ends: [128, 192] as const };
      const updates = takesUpdate(rows, weight) ? [undefined, update] : [undefined];
      const bases = weights.map((w, i) => linear(x, w, biases[i]));
      const adapted = bases.map((base, i) => addScaled(base, linear(linear(x, as[i]!), bs[i]!), scale));
      return {
        together: updates.flatMap((given) =>
          [undefined, residual].map((added) => linearTogether(x, weight, { bias, update: given, residual: added })),
        ),
        apart: updates.flatMap((given) => {
          const joined = concat(given ? adapted : bases, 1);
          return [joined, add(residual, joined)];
        }),
      };
    });
    expect(together.length).toBe(rows > 64 ? 2 : takes(rows) ? 4 : 2);
    for (const [i, tensor] of together.entries()) expect(await bits(tensor)).toEqual(await bits(apart[i]!));
  });

  /** Decoding on this device. */
  const takes = (rows: number): boolean => rows <= (device.facts.family === "software" ? 64 : 16);

  test.each([2, 6, 70])("%d rows that are normalized first, and halves that are gated", async (rows) => {
    const k = 1104;
    const [got, expected] = scope(() => {
      const [x, normWeight, weight] = [made([rows, k]), made([k]), made([136, k])];
      const [a, up] = [made([16, k]), made([136, 8])];
      const prologue = { kind: "norm", weight: normWeight, epsilon: 1e-5 } as const;
      const update = takesUpdate(rows, weight) ? { a, up, rank: 8, scale: 0.7, ends: [68, 136] as const } : undefined;
      const ready = rmsNorm(x, normWeight, 1e-5);
      const part = (half: number): Tensor => {
        const base = linear(ready, rowRange(weight, 68 * half, 68 * half + 68));
        const down = linear(ready, rowRange(a, 8 * half, 8 * half + 8));
        return update ? addScaled(base, linear(down, rowRange(up, 68 * half, 68 * half + 68)), 0.7) : base;
      };
      return [linearTogether(x, weight, { prologue, update, gate: true }), siluGate(part(0), part(1))];
    });
    expect(await bits(got!)).toEqual(await bits(expected!));
  });

  test("an update of more rows than decoding has is refused", () => {
    scope(() => {
      const [x, weight] = [made([200, 32]), made([64, 32])];
      const update = { a: made([4, 32]), up: made([64, 4]), rank: 4, scale: 1, ends: [64, 64] as const };
      expect(() => linearTogether(x, weight, { update })).toThrow("adds nothing to its sums");
    });
  });

  test.each([
    { heads: 4, kvHeads: 2, half: 8 },
    { heads: 3, kvHeads: 1, half: 6 },
  ])("rotation into a cache: %o", async ({ heads, kvHeads, half }) => {
    const rows = 5;
    const width = kvHeads * 2 * half;
    const all = noGrad(() =>
      scope(() => {
        const x = made([rows, (heads + 2 * kvHeads) * 2 * half]);
        const [cosines, sines] = [made([rows, half]), made([rows, half])];
        const before = [made([9, width]), made([9, width])] as const;
        const after = before.map((cache) => add(cache, 0)) as [Tensor, Tensor];
        const index = RowIndex.of(device, [7, 0, 3, 8, 1], 9);
        const queries = ropeIntoCache(
          x,
          cosines,
          sines,
          { keys: after[0], values: after[1], index },
          { heads, kvHeads },
        );
        const [q, k, v] = [
          [0, heads],
          [heads, heads + kvHeads],
          [heads + kvHeads, heads + 2 * kvHeads],
        ].map(([from, to]) => slice(x, 1, from! * 2 * half, to! * 2 * half)) as [Tensor, Tensor, Tensor];
        writeRows(before[0], rope(k, cosines, sines), index);
        writeRows(before[1], v, index);
        expect(() =>
          ropeIntoCache(x, cosines, sines, { keys: x, values: after[1], index }, { heads, kvHeads }),
        ).toThrow("keys");
        return [queries, ...after, rope(q, cosines, sines), ...before];
      }),
    );
    const values = [];
    for (const tensor of all) values.push(await bits(tensor));
    expect(values.slice(0, 3)).toEqual(values.slice(3));
  });

  test("the gate of two halves", async () => {
    const [got, expected] = scope(() => {
      const x = made([5, 24]);
      expect(() => siluGateHalves(made([5, 12]))).toThrow("multiple of 4");
      const g = made([5, 12]);
      return [() => siluGateHalves(x), () => siluGate(slice(x, 1, 0, 12), slice(x, 1, 12, 24))].map((fn) => {
        const recorded = record([x], fn);
        return [recorded.value, ...recorded.backward([[recorded.value, g]])];
      });
    });
    expect(await Promise.all(got!.map(bits))).toEqual(await Promise.all(expected!.map(bits)));
  });

  test.each([
    { rows: 3, k: 40, widths: [16, 32, 16], dtype: "f32" },
    { rows: 70, k: 96, widths: [96, 32, 32], dtype: "f32" }, // parts of K in one product, where a tile takes it
    { rows: 70, k: 64, widths: [256, 256], dtype: "bf16" },
    { rows: 40, k: 64, widths: [320, 64], dtype: "f32" }, // more than a block of the canonical order
    { rows: 530, k: 16, widths: [640], dtype: "f32" }, // packed
  ] as const)(
    "layers side by side, forward and backward: $rows rows, $widths, $dtype",
    async ({ rows, k, widths, dtype }) => {
      const all = scope(() => {
        const [x, residual] = [made([rows, k]), made([rows, widths.reduce((a, b) => a + b, 0)])];
        const weights = sideBySide(widths.map((n) => made([n, k], dtype)));
        const biases = sideBySide(widths.map((n) => made([n])));
        const g = made(residual.shape);
        const copies = [weights, biases].map((list) =>
          list.map((t) => rowRange(concat([t, t], 0), 0, t.shape[0] ?? 0)),
        );
        const gradients = (of: readonly Tensor[], fn: () => Tensor): readonly Tensor[] => {
          const recorded = record([x, residual, ...of], fn);
          return [recorded.value, ...recorded.backward([[recorded.value, g]])];
        };
        const alone = (ws: readonly Tensor[], bs: readonly Tensor[]): Tensor =>
        add(residual, concat(ws.map((w, i) => linear(x, w, bs[i])), 1)); // biome-ignore format: a line
        const [ws = [], bs = []] = copies;
        return [
          gradients([...weights, ...biases], () => linearSideBySide(x, weights, { biases, residual })),
          gradients([...ws, ...bs], () => linearSideBySide(x, ws, { biases: bs, residual })),
          gradients([...weights, ...biases], () => alone(weights, biases)),
        ];
      });
      const [together, apart, expected] = await Promise.all(all.map((list) => Promise.all(list.map(bits))));
      expect(together).toEqual(expected);
      expect(apart).toEqual(expected);
    },
  );

  test.each([
    { heads: 4, kvHeads: 2, half: 8 },
    { heads: 3, kvHeads: 1, half: 6 },
  ])("heads apart and rotated, forward and backward: %o", async ({ heads, kvHeads, half }) => {
    const rows = 5;
    const [got, expected] = scope(() => {
      const x = made([rows, (heads + 2 * kvHeads) * 2 * half]);
      const [cosines, sines] = [made([rows, half]), made([rows, half])];
      const widths = [heads, kvHeads, kvHeads].map((count) => count * 2 * half);
      const seeds = widths.map((width) => made([rows, width]));
      const run = (fn: () => readonly Tensor[]): readonly Tensor[] => {
        const recorded = record([x], fn);
        const pairs = recorded.value.map((t, i) => [t, seeds[i]!] as const);
        const whole = recorded.backward(pairs, { retain: true });
        return [...recorded.value, ...whole, ...recorded.backward(pairs.slice(1)).map((t) => add(t, 0))]; // no zero has a sign
      };
      return [
        run(() => ropeHeads(x, cosines, sines, { heads, kvHeads })),
        run(() => {
          const [q, k, v] = split(x, 1, widths) as [Tensor, Tensor, Tensor];
          return [rope(q, cosines, sines), rope(k, cosines, sines), v];
        }),
      ];
    });
    expect(await Promise.all(got!.map(bits))).toEqual(await Promise.all(expected!.map(bits)));
  });

  test("tensors are one where they lie one behind the other", () => {
    scope(() => {
      const [a, b, c] = emptyStack(
        device,
        [
          [16, 16],
          [8, 16],
          [8, 16],
        ],
        "bf16",
      ) as [Tensor, Tensor, Tensor];
      expect(stackOf([a, b, c])!.shape).toEqual([32, 16]);
      expect(stackOf([b, c])!.shape).toEqual([16, 16]);
      expect(stackOf([a, c]), "a gap").toBeUndefined();
      expect(stackOf([b, a]), "the wrong order").toBeUndefined();
      expect(stackOf([made([4, 16]), made([4, 16])]), "two buffers").toBeUndefined();
      expect(stackOf([rowRange(a, 0, 8), rowRange(a, 8, 16)])!.shape).toEqual([16, 16]);
      expect(emptyStack(device, [[3], [3]], "f32"), "no binding begins there").toBeUndefined();
    });
  });
});
