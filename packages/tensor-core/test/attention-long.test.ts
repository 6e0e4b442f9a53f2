// A long sequence: memory stays linear in the rows, and sampled rows of output and gradients are right. T is 16,384 in the full check.
import { afterAll, beforeAll, expect, test } from "vitest";
import { attention, type Device, openDevice, record, Segments } from "../src/index.ts";
import { packed } from "../src/ops/attention/cases.ts";
import { normal, relativeDifference, seededRandom } from "../src/testing/index.ts";

const full = process.env.IAPO_FULL === "1";
const T = full ? 16_384 : 1_024;
const D = full ? 64 : 16;
const scale = D ** -0.5;
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

test(`one causal head over ${T} rows, forward and backward`, { timeout: 600_000 }, async () => {
  const random = seededRandom("long");
  const make = () => Float32Array.from({ length: T * D }, () => normal(random));
  const host = { q: make(), k: make(), v: make(), g: make() };
  const [q, k, v, g] = [host.q, host.k, host.v, host.g].map((data) => device.tensor(data, [T, D]));
  const inputBytes = q!.bytes * 3;
  const before = device.memory().liveBytes;
  device.pool.resetPeak();
  const segments = Segments.of(device, packed([T], true));
  const recorded = record([q!, k!, v!], () =>
    attention.apply([q!, k!, v!, segments.table], { heads: 1, kvHeads: 1, headDim: D, scale, plan: segments.plan }),
  );
  const [out, logSumExp] = recorded.value as [typeof q & {}, typeof q & {}];
  const gradients = recorded.backward([[out, g!]]);
  // All that forward and backward take together, not only the largest buffer.
  expect(device.memory().peakBytes - before).toBeLessThan(3 * inputBytes);

  const read = async (tensor: typeof out) => (await tensor.read()) as Float32Array;
  const [o, lse] = [await read(out), await read(logSumExp)];
  const [dq, dk, dv] = await Promise.all(gradients.map(read));
  const row = (data: Float32Array, i: number) => data.subarray(i * D, (i + 1) * D);
  // Whole-row sums that other rows' gradients need come from the output itself, which the samples below hold to f64.
  const weight = (i: number, j: number) => Math.exp(dot(row(host.q, i), row(host.k, j)) * scale - lse[i]!);
  const error = (i: number, j: number) =>
    weight(i, j) * (dot(row(host.g, i), row(host.v, j)) - dot(row(host.g, i), row(o, i))) * scale;

  for (const i of [0, 1, 15, 16, 63, 64, 65, T / 2 - 1, T / 2, T - 17, T - 1]) {
    const seen = Array.from({ length: i + 1 }, (_, j) => j);
    const readers = Array.from({ length: T - i }, (_, n) => i + n);
    const top = seen.reduce((m, j) => Math.max(m, dot(row(host.q, i), row(host.k, j)) * scale), -Infinity);
    const sum = seen.reduce((s, j) => s + Math.exp(dot(row(host.q, i), row(host.k, j)) * scale - top), 0);
    expect(Math.abs(lse[i]! - top - Math.log(sum)), `log-sum-exp of row ${i}`).toBeLessThan(2e-5);
    const compare = (
      what: string,
      got: Float32Array,
      terms: readonly number[],
      weights: (n: number) => number,
      of: Float32Array,
    ) => {
      const want = new Float64Array(D);
      for (const n of terms) {
        const w = weights(n);
        for (let d = 0; d < D; d++) want[d]! += w * of[n * D + d]!;
      }
      expect(relativeDifference(row(got, i), want), `${what} of row ${i}`).toBeLessThan(5e-5);
    };
    compare("output", o, seen, (j) => weight(i, j), host.v);
    compare("dq", dq!, seen, (j) => error(i, j), host.k);
    compare("dk", dk!, readers, (n) => error(n, i), host.q);
    compare("dv", dv!, readers, (n) => weight(n, i), host.g);
  }
  for (const tensor of [...gradients, out, logSumExp, segments, q!, k!, v!, g!]) tensor.dispose();
});

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}
