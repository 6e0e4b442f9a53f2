// Matrix products against an emulation of the canonical order: every kernel, layout and dtype gives these very bits on adapters whose fma rounds twice.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, openDevice } from "../src/index.ts";
import { type MatmulLayout, matmulInto } from "../src/ops/matmul/dispatch.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test.each(["nn", "nt", "tn"] as const)("%s follows the f64 product", async (layout) => {
  const [m, n, k, batch] = [5, 14, 300, 3];
  const a = numbers(batch * m * k, 1);
  const b = numbers(batch * n * k, 2);
  const bias = numbers(n, 3);
  const ta = device.tensor(a, [a.length]);
  const tb = device.tensor(b, [b.length]);
  const tbias = device.tensor(bias, [n]);
  const out = device.tensor(new Float32Array(batch * m * n).fill(2), [batch, m, n]);
  matmulInto(device, { layout, a: ta, b: tb, out, m, n, k, batch, bias: tbias, accumulate: true });
  const got = await out.values();
  let worst = 0;
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 2 + bias[j]!;
        for (let q = 0; q < k; q++) sum += at(a, layout, true, z, i, q, m, k) * at(b, layout, false, z, j, q, n, k);
        worst = Math.max(worst, Math.abs(sum - got[(z * m + i) * n + j]!));
      }
  expect(worst).toBeLessThan(2e-5);
  for (const t of [ta, tb, tbias, out]) t.dispose();
});

function at(
  data: Float32Array,
  layout: MatmulLayout,
  left: boolean,
  z: number,
  i: number,
  q: number,
  rows: number,
  k: number,
): number {
  const kMajor = left ? layout === "tn" : layout !== "nt";
  return data[z * rows * k + (kMajor ? q * rows + i : i * k + q)]!;
}

function numbers(size: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
