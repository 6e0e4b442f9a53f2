// What the canonical order of sums costs: K in blocks of 256 beside one accumulator over all of K, in the same kernels (decision 0002).
import type { Arrays, Benchmark, Workload } from "../../../tools/bench/harness/types.ts";
import { type MatmulCase, matmul } from "../../../tools/bench/workloads/matmul.ts";
import { openDevice } from "../src/index.ts";
import { K_BLOCK } from "../src/ops/matmul/canonical.ts";
import { type MatmulLayout, matmulInto } from "../src/ops/matmul/dispatch.ts";

interface OrderCase extends MatmulCase {
  readonly block: number;
}

const measured = [
  "TN 512 f32",
  "TN 1024 f32",
  "NT 1024 f32",
  "NT 1024 bf16",
  "skinny 1x2048x2048 f32",
  "skinny 8x2048x2048 bf16",
];

const workload: Workload<OrderCase> = {
  name: "canonical-order",
  cases: matmul.cases
    .filter(({ name }) => measured.includes(name))
    .flatMap(({ goal: _, ...of }) => [
      { ...of, name: `${of.name}, blocks of ${K_BLOCK}`, block: K_BLOCK },
      { ...of, name: `${of.name}, one accumulator`, block: of.K },
    ]),
  inputs: (of) => matmul.inputs(of),
  expected: (of) => matmul.expected(of),
};

const benchmark: Benchmark<OrderCase> = {
  workload,
  async open() {
    const device = await openDevice();
    return {
      versions: {},
      async prepare({ layout, M: m, N: n, K: k, dtype, block }, inputs: Arrays) {
        const a = device.tensor(inputs.a as Float32Array, layout === "TN" ? [k, m] : [m, k]);
        const b = device.tensor(inputs.b as Float32Array, layout === "NT" ? [n, k] : [k, n], dtype);
        const out = device.empty([m, n]);
        const call = { layout: layout.toLowerCase() as MatmulLayout, a, b, out, m, n, k, block };
        return {
          run: () => matmulInto(device, call),
          finish: () => device.idle(),
          outputs: async () => ({ c: (await out.values()) as Float32Array<ArrayBuffer> }),
          dispose() {
            for (const tensor of [a, b, out]) tensor.dispose();
          },
        };
      },
    };
  },
};
export default benchmark;
