// onnxruntime-node on the CPU: not on the adapter but on the same cores, for information.
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import type { Arrays, Peer, Prepared } from "../harness/types.ts";
import type { AttentionCase } from "../workloads/attention.ts";
import type { MatmulCase } from "../workloads/matmul.ts";
import { attentionModel, type Model, matmulModel } from "./onnx-model.ts";

async function prepare({ bytes, inputs, output }: Model, arrays: Arrays): Promise<Prepared> {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["cpu"],
    intraOpNumThreads: availableParallelism(),
    extra: { session: { intra_op: { allow_spinning: "0" } } }, // spinning would count as work
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, dims]) => [name, new ort.Tensor("float32", arrays[name] as Float32Array, dims)]),
  );
  let last: ort.InferenceSession.OnnxValueMapType = {};
  return {
    async run() {
      last = await session.run(feeds);
    },
    async finish() {}, // run() has waited
    async outputs() {
      return { [output]: new Float32Array(last[output]?.data as Float32Array) };
    },
    dispose() {
      void session.release();
    },
  };
}

export const peer: Peer = {
  usesMainThread: true,
  versions: { "onnxruntime-node": ort.env.versions.node ?? "unknown" },
  workloads: {
    matmul: (of: MatmulCase, arrays: Arrays) => prepare(matmulModel(of), arrays),
    attention: (of: AttentionCase, { q, ...rest }: Arrays) =>
      prepare(attentionModel(of), { ...rest, q: (q as Float32Array<ArrayBuffer>).map((x) => x / Math.sqrt(of.D)) }),
  },
};
