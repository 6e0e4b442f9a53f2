// A transformer block forward and backward, beside the peers.
import type { Arrays, Benchmark } from "../../../tools/bench/harness/types.ts";
import type { BlockCase } from "../../../tools/bench/workloads/block-reference.ts";
import { blockShapes, train as workload } from "../../../tools/bench/workloads/train.ts";
import {
  add,
  attention,
  grad,
  linear,
  mean,
  openDevice,
  rmsNorm,
  Segments,
  siluGate,
  square,
  type Tensor,
} from "../src/index.ts";

const EPSILON = 1e-6;

const benchmark: Benchmark<BlockCase> = {
  workload,
  peers: ["jax", "tfjs"],
  async open() {
    const device = await openDevice();
    return {
      versions: {},
      async prepare(of, inputs: Arrays) {
        const shapes = Object.entries({ x: [of.T, of.d], ...blockShapes(of) });
        const values = new Map(
          shapes.map(([name, shape]) => [name, device.tensor(inputs[name] as Float32Array, shape)] as const),
        );
        const segments = Segments.of(device, [
          {
            ...{ queryStart: 0, queryCount: of.T, prefixStart: 0, prefixCount: 0 },
            ...{ ownStart: 0, ownCount: of.T, causal: true },
          },
        ]);
        const step = () => grad(() => loss(of, values, segments), [...values.values()]);
        let made: ReturnType<typeof step> | undefined;
        const dispose = () => {
          for (const tensor of made ? [made.value, ...made.gradients] : []) tensor.dispose();
        };
        const run = () => {
          dispose();
          made = step();
        };
        return {
          run,
          finish: () => device.idle(),
          async outputs() {
            const read: Arrays = {};
            if (!made) return read;
            read.loss = (await made.value.values()) as Float32Array<ArrayBuffer>;
            for (const [i, [name]] of shapes.entries())
              read[`d${name}`] = (await made.gradients[i]!.values()) as Float32Array<ArrayBuffer>;
            return read;
          },
          profile: async () => await device.profile(run),
          dispose() {
            dispose();
            for (const held of [...values.values(), segments]) held.dispose();
          },
        };
      },
    };
  },
};
export default benchmark;

/** The block as tools/bench/workloads/train.ts states it. */
function loss({ d, heads }: BlockCase, values: ReadonlyMap<string, Tensor>, segments: Segments): Tensor {
  const w = (name: string): Tensor => values.get(name)!;
  const shape = { heads, kvHeads: heads, headDim: d / heads, scale: (d / heads) ** -0.5 };
  const n1 = rmsNorm(w("x"), w("gain1"), EPSILON);
  const [q, k, v] = ["wq", "wk", "wv"].map((name) => linear(n1, w(name)));
  const x1 = add(w("x"), linear(attention(q!, k!, v!, segments, shape), w("wo")));
  const n2 = rmsNorm(x1, w("gain2"), EPSILON);
  const inner = siluGate(linear(n2, w("wgate")), linear(n2, w("wup")));
  return mean(square(add(x1, linear(inner, w("wdown")))));
}
