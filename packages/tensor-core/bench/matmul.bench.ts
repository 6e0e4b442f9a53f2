// Matrix products in every layout, and a few rows through a large weight, beside the peers.
import type { Arrays, Benchmark } from "../../../tools/bench/harness/types.ts";
import { type MatmulCase, matmul } from "../../../tools/bench/workloads/matmul.ts";
import { openDevice } from "../src/index.ts";
import { type MatmulLayout, matmulInto } from "../src/ops/matmul/dispatch.ts";

const benchmark: Benchmark<MatmulCase> = {
  workload: matmul,
  peers: ["jax", "tfjs", "onnxruntime-web", "onnxruntime-node"],
  async open() {
    const device = await openDevice();
    return {
      versions: {},
      async prepare({ layout, M: m, N: n, K: k, dtype }, inputs: Arrays) {
        const a = device.tensor(inputs.a as Float32Array, layout === "TN" ? [k, m] : [m, k]);
        const b = device.tensor(inputs.b as Float32Array, layout === "NT" ? [n, k] : [k, n], dtype);
        const out = device.empty([m, n]);
        const run = () => matmulInto(device, { layout: layout.toLowerCase() as MatmulLayout, a, b, out, m, n, k });
        return {
          run,
          finish: () => device.idle(),
          outputs: async () => ({ c: (await out.values()) as Float32Array<ArrayBuffer> }),
          profile: async () => await device.profile(run),
          dispose() {
            for (const tensor of [a, b, out]) tensor.dispose();
          },
        };
      },
    };
  },
};
export default benchmark;
