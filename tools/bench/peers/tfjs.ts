// TensorFlow.js on its WebGPU backend.
import { createRequire } from "node:module";
import type * as TensorFlow from "@tensorflow/tfjs";
import { installNavigator } from "../harness/dawn.ts";
import { politely } from "../harness/measure.ts";
import type { Arrays, Peer, Prepared } from "../harness/types.ts";
import type { AttentionCase } from "../workloads/attention.ts";
import type { BlockCase } from "../workloads/block-reference.ts";
import type { MatmulCase } from "../workloads/matmul.ts";
import { blockShapes } from "../workloads/train.ts";

installNavigator();
const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs") as typeof TensorFlow; // the whole package: tfjs-core alone registers no gradients in Node
require("@tensorflow/tfjs-backend-webgpu");
if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs has no WebGPU backend here");
await tf.ready();

type Tensors = Record<string, TensorFlow.Tensor>;

/** Runs `compute` again each time and keeps the outputs of the last run. */
function prepared(inputs: Tensors, compute: () => Tensors): Prepared {
  let outputs: Tensors = {};
  const disposeOutputs = (): void => tf.dispose(Object.values(outputs));
  return {
    run() {
      disposeOutputs();
      outputs = compute();
    },
    async finish() {
      const first = Object.values(outputs)[0] as TensorFlow.Tensor;
      const corner = tf.tidy(() => tf.slice(first.flatten(), [0], [1]));
      await politely(corner.data()); // tfjs has no other way to wait for the device
      corner.dispose();
    },
    async outputs() {
      const read: Arrays = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        read[name] = new Float32Array(await politely(tensor.data<"float32">()));
      }
      return read;
    },
    dispose() {
      disposeOutputs();
      tf.dispose(Object.values(inputs));
    },
  };
}

async function matmul({ layout, M, N, K }: MatmulCase, arrays: Arrays): Promise<Prepared> {
  const a = tf.tensor2d(arrays.a as Float32Array, layout === "TN" ? [K, M] : [M, K]);
  const b = tf.tensor2d(arrays.b as Float32Array, layout === "NT" ? [N, K] : [K, N]);
  return prepared({ a, b }, () => ({ c: tf.matMul(a, b, layout === "TN", layout === "NT") }));
}

async function attention({ B, T, D }: AttentionCase, arrays: Arrays): Promise<Prepared> {
  const tensor = (name: string) => tf.tensor3d(arrays[name] as Float32Array, [B, T, D]);
  const [q, k, v] = [tensor("q"), tensor("k"), tensor("v")];
  const scale = 1 / Math.sqrt(D);
  return prepared({ q, k, v }, () => ({
    o: tf.tidy(() => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), scale)), v)),
  }));
}

function rmsNorm(x: TensorFlow.Tensor, gain: TensorFlow.Tensor): TensorFlow.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gain);
}

const linear = (x: TensorFlow.Tensor, w: TensorFlow.Tensor): TensorFlow.Tensor => tf.matMul(x, w, false, true);

async function train(of: BlockCase, arrays: Arrays): Promise<Prepared> {
  const { T, d, heads } = of;
  const D = d / heads;
  const shapes: Record<string, readonly number[]> = { x: [T, d], ...blockShapes(of) };
  const names = Object.keys(shapes);
  const tensors: Tensors = Object.fromEntries(
    names.map((name) => [name, tf.tensor(arrays[name] as Float32Array, shapes[name] as number[])]),
  );
  const hidden = tf.linalg
    .bandPart(tf.ones([T, T]), -1, 0)
    .sub(1)
    .mul(1e9) as TensorFlow.Tensor; // 0 where seen
  const byHead = (x: TensorFlow.Tensor) => tf.transpose(tf.reshape(x, [T, heads, D]), [1, 0, 2]);

  const loss = (...values: TensorFlow.Tensor[]): TensorFlow.Scalar => {
    const of = Object.fromEntries(names.map((name, i) => [name, values[i]])) as Tensors;
    const get = (name: string) => of[name] as TensorFlow.Tensor;
    const n1 = rmsNorm(get("x"), get("gain1"));
    const [q, k, v] = ["wq", "wk", "wv"].map((name) => byHead(linear(n1, get(name)))) as [
      TensorFlow.Tensor,
      TensorFlow.Tensor,
      TensorFlow.Tensor,
    ];
    const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(D)), hidden);
    const attended = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v), [1, 0, 2]), [T, d]);
    const x1 = tf.add(get("x"), linear(attended, get("wo")));
    const n2 = rmsNorm(x1, get("gain2"));
    const gate = linear(n2, get("wgate"));
    const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(n2, get("wup")));
    return tf.mean(tf.square(tf.add(x1, linear(inner, get("wdown"))))) as TensorFlow.Scalar;
  };
  const valueAndGrads = tf.valueAndGrads(loss);
  return prepared({ ...tensors, hidden }, () => {
    const { value, grads } = valueAndGrads(names.map((name) => tensors[name] as TensorFlow.Tensor));
    return { loss: value, ...Object.fromEntries(names.map((name, i) => [`d${name}`, grads[i] as TensorFlow.Tensor])) };
  });
}

export const peer: Peer = {
  versions: { "@tensorflow/tfjs": tf.version.tfjs },
  workloads: { matmul, attention, train },
};
