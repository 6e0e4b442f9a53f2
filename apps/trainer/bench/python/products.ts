// Plain matrix products of the model's own widths, timed on each side: where a step's difference comes from.
import { type Device, linear, noGrad } from "@iapo/tensor-core";

/** `[rows, inner]` times the transpose of `[columns, inner]`. */
export type Product = readonly [rows: number, columns: number, inner: number];

/** Of each product: GFLOP/s, and the first outputs of the last row. */
export interface Products {
  readonly rates: readonly number[];
  readonly samples: readonly (readonly number[])[];
}

const SECONDS = 0.3;

/** As `products` of tools/interop/python/bench_worker.py does it. */
export async function products(device: Device, shapes: readonly Product[]): Promise<Products> {
  const rates: number[] = [];
  const samples: number[][] = [];
  for (const [rows, columns, inner] of shapes) {
    using x = device.tensor(
      Float32Array.from({ length: rows * inner }, (_, i) => Math.sin(0.37 * i)),
      [rows, inner],
    );
    using w = device.tensor(
      Float32Array.from({ length: columns * inner }, (_, i) => Math.cos(0.11 * i)),
      [columns, inner],
    );
    using y = noGrad(() => linear(x, w));
    samples.push([...((await y.values()) as Float32Array).subarray((rows - 1) * columns, (rows - 1) * columns + 4)]);
    let [count, seconds] = [1, 0];
    while (seconds < SECONDS) {
      count *= 2;
      const start = performance.now();
      for (let i = 0; i < count; i++) noGrad(() => linear(x, w)).dispose();
      await device.idle();
      seconds = (performance.now() - start) / 1000;
    }
    rates.push((2e-9 * rows * columns * inner * count) / seconds);
  }
  return { rates, samples };
}
