// AdamW's fused step in bytes moved, beside the best copy kernel.
import { sampleIndices, uniform } from "../../../tools/bench/harness/random.ts";
import type { Arrays, Benchmark, Case, Probe, Workload } from "../../../tools/bench/harness/types.ts";
import { AdamW, clipByGlobalNorm, openDevice } from "../src/index.ts";

interface OptimizerCase extends Case {
  readonly size: number;
  readonly runCopy: boolean;
  readonly clip: boolean;
}

const LEARNING_RATE = 1e-3;
const WEIGHT_DECAY = 0.01;
const MAX_NORM = 1;
const ROW = 1024;

/** Reads gradient, master and moments, writes master and moments; a bf16 run copy and the clipping's reading of the gradient come on top. */
function step(name: string, runCopy: boolean, clip: boolean): OptimizerCase {
  const size = 4 * 2 ** 20;
  const bytes = 4 * 4 + 3 * 4 + (runCopy ? 2 : 0) + (clip ? 4 : 0);
  const goal = { fractionOfPeak: 0.6 };
  return { name, unit: "GB/s", work: size * bytes, bound: "copy", tolerance: 1e-6, goal, size, runCopy, clip };
}

const workload: Workload<OptimizerCase> = {
  name: "optimizer",
  cases: [
    step("AdamW 4M", false, false),
    step("AdamW 4M, bf16 run copy", true, false),
    step("clip + AdamW 4M, bf16 run copy", true, true),
  ],
  inputs: ({ size }) => ({ master: uniform(1, size), gradient: uniform(2, size) }),
  expected: (of): Probe[] => {
    const { master, gradient } = workload.inputs(of) as Record<"master" | "gradient", Float32Array>;
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const factor = of.clip ? Math.min(1, MAX_NORM / (norm + 1e-6)) : 1;
    const indices = sampleIndices(3, of.size, 64);
    // After the first step both bias-corrected moments are those of the gradient itself.
    const values = indices.map((i) => {
      const g = (gradient[i] as number) * factor;
      return (master[i] as number) * (1 - LEARNING_RATE * WEIGHT_DECAY) - (LEARNING_RATE * g) / (Math.abs(g) + 1e-8);
    });
    return [{ output: "master", indices, values }];
  },
};

const benchmark: Benchmark<OptimizerCase> = {
  workload,
  async open() {
    const device = await openDevice();
    return {
      versions: {},
      async prepare(of, inputs: Arrays) {
        const shape = [of.size / ROW, ROW];
        const master = device.tensor(inputs.master as Float32Array, shape);
        const gradient = device.tensor(inputs.gradient as Float32Array, shape);
        const runCopy = of.runCopy ? device.empty(shape, "bf16") : undefined;
        const optimizer = new AdamW([{ master, ...(runCopy && { runCopy }) }], { weightDecay: WEIGHT_DECAY });
        const asItIs = device.tensor([1, 1, 1, 0], [4]); // a decision of clipByGlobalNorm: finite, not clipped
        const run = () => {
          const clip = of.clip ? clipByGlobalNorm([gradient], MAX_NORM) : asItIs.alias();
          optimizer.step([gradient], { learningRate: LEARNING_RATE, clip });
          clip.dispose();
        };
        return {
          run,
          finish: () => device.idle(),
          outputs: async () => ({ master: (await master.values()) as Float32Array<ArrayBuffer> }),
          profile: async () => await device.profile(run),
          dispose() {
            optimizer.dispose();
            for (const tensor of [master, gradient, asItIs, runCopy]) tensor?.dispose();
          },
        };
      },
    };
  },
};
export default benchmark;
