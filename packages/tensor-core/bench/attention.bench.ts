// Attention over independent sequences, one head each, beside the peers.
import type { Arrays, Benchmark } from "../../../tools/bench/harness/types.ts";
import { type AttentionCase, attention as workload } from "../../../tools/bench/workloads/attention.ts";
import { attention, noGrad, openDevice, type Segment, Segments } from "../src/index.ts";

const benchmark: Benchmark<AttentionCase> = {
  workload,
  peers: ["jax", "tfjs", "onnxruntime-web", "onnxruntime-node"],
  async open() {
    const device = await openDevice();
    return {
      versions: {},
      async prepare({ B, T, D }, inputs: Arrays) {
        const [q, k, v] = ["q", "k", "v"].map((name) => device.tensor(inputs[name] as Float32Array, [B * T, D]));
        const sequence = (start: number): Segment => ({
          queryStart: start,
          queryCount: T,
          prefixStart: 0,
          prefixCount: 0,
          ownStart: start,
          ownCount: T,
          causal: false,
        });
        const segments = Segments.of(
          device,
          Array.from({ length: B }, (_, b) => sequence(b * T)),
        );
        const shape = { heads: 1, kvHeads: 1, headDim: D, scale: D ** -0.5 };
        const apply = () => noGrad(() => attention(q!, k!, v!, segments, shape));
        let out = apply();
        const run = () => {
          out.dispose();
          out = apply();
        };
        return {
          run,
          finish: () => device.idle(),
          outputs: async () => ({ o: (await out.values()) as Float32Array<ArrayBuffer> }),
          profile: async () => await device.profile(run),
          dispose() {
            for (const held of [q!, k!, v!, out, segments]) held.dispose();
          },
        };
      },
    };
  },
};
export default benchmark;
