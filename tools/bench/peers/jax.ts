// jax-js on its WebGPU backend. An array is consumed by the call it is passed to; `ref` keeps it for another.
import { readFileSync } from "node:fs";
import { installNavigator } from "../harness/dawn.ts";
import { politely } from "../harness/measure.ts";
import type { Arrays, Peer, Prepared } from "../harness/types.ts";
import type { AttentionCase } from "../workloads/attention.ts";
import type { BlockCase } from "../workloads/block-reference.ts";
import type { MatmulCase } from "../workloads/matmul.ts";
import { blockShapes } from "../workloads/train.ts";

installNavigator();
const { init, defaultDevice, jit, valueAndGrad, nn, numpy: np } = await import("@jax-js/jax");
if (!(await init()).includes("webgpu")) throw new Error("jax-js has no WebGPU device here");
defaultDevice("webgpu");

type Tensor = InstanceType<typeof np.Array>;
type Tensors = Record<string, Tensor>;

const array = (values: Float32Array<ArrayBuffer>, shape: readonly number[]): Tensor =>
  np.array(values, { shape: [...shape] });

/** Runs `compute` again each time and keeps the outputs of the last run. */
function prepared(inputs: Tensor[], compute: () => Tensors): Prepared {
  let outputs: Tensors = {};
  let unfinished: Tensors[] = []; // evaluation is lazy: what is disposed before it is awaited is never computed
  const dispose = (tensors: Tensors): void => {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  };
  return {
    run() {
      unfinished.push(compute());
    },
    async finish() {
      for (const tensors of unfinished) {
        for (const tensor of Object.values(tensors)) await politely(tensor.blockUntilReady());
        dispose(outputs);
        outputs = tensors;
      }
      unfinished = [];
    },
    async outputs() {
      const read: Arrays = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        read[name] = new Float32Array(await politely(tensor.ref.data() as Promise<Float32Array>));
      }
      return read;
    },
    dispose() {
      dispose(outputs);
      for (const tensor of inputs) tensor.dispose();
    },
  };
}

async function matmul({ layout, M, N, K }: MatmulCase, arrays: Arrays): Promise<Prepared> {
  const a = array(arrays.a as Float32Array<ArrayBuffer>, layout === "TN" ? [K, M] : [M, K]);
  const b = array(arrays.b as Float32Array<ArrayBuffer>, layout === "NT" ? [N, K] : [K, N]);
  const multiply = jit((a: Tensor, b: Tensor) =>
    np.matmul(layout === "TN" ? np.matrixTranspose(a) : a, layout === "NT" ? np.matrixTranspose(b) : b),
  );
  return prepared([a, b], () => ({ c: multiply(a.ref, b.ref) }));
}

async function attention({ B, T, D }: AttentionCase, arrays: Arrays): Promise<Prepared> {
  const [q, k, v] = ["q", "k", "v"].map((name) => array(arrays[name] as Float32Array<ArrayBuffer>, [B, T, D])) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const attend = jit((q: Tensor, k: Tensor, v: Tensor) =>
    np.matmul(nn.softmax(np.matmul(q, np.matrixTranspose(k)).mul(1 / Math.sqrt(D)), -1), v),
  );
  return prepared([q, k, v], () => ({ o: attend(q.ref, k.ref, v.ref) }));
}

function rmsNorm(x: Tensor, gain: Tensor): Tensor {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return np.divide(x, np.sqrt(mean.add(1e-6))).mul(gain);
}

const linear = (x: Tensor, w: Tensor): Tensor => np.matmul(x, np.matrixTranspose(w));

async function train(of: BlockCase, arrays: Arrays): Promise<Prepared> {
  const { T, d, heads } = of;
  const D = d / heads;
  const shapes: Record<string, readonly number[]> = { x: [T, d], ...blockShapes(of) };
  const names = Object.keys(shapes);
  const tensors = names.map((name) => array(arrays[name] as Float32Array<ArrayBuffer>, shapes[name] as number[]));
  const seen = Float32Array.from({ length: T * T }, (_, i) => (i % T <= Math.floor(i / T) ? 0 : -1e9));
  const mask = array(seen, [T, T]);
  const byHead = (x: Tensor): Tensor => np.transpose(x.reshape([T, heads, D]), [1, 0, 2]);

  const loss = (hidden: Tensor, ...values: Tensor[]): Tensor => {
    const get = (name: string): Tensor => values[names.indexOf(name)] as Tensor;
    const n1 = rmsNorm(get("x").ref, get("gain1"));
    const [q, k, v] = ["wq", "wk", "wv"].map((name, i) => byHead(linear(i < 2 ? n1.ref : n1, get(name)))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const scores = np
      .matmul(q, np.matrixTranspose(k))
      .mul(1 / Math.sqrt(D))
      .add(hidden);
    const attended = np.transpose(np.matmul(nn.softmax(scores, -1), v), [1, 0, 2]).reshape([T, d]);
    const x1 = get("x").add(linear(attended, get("wo")));
    const n2 = rmsNorm(x1.ref, get("gain2"));
    const gate = linear(n2.ref, get("wgate"));
    const inner = nn.silu(gate).mul(linear(n2, get("wup")));
    return np.mean(np.square(x1.add(linear(inner, get("wdown")))));
  };
  const gradients = jit(valueAndGrad(loss, { argnums: names.map((_, i) => i + 1) }));
  return prepared([...tensors, mask], () => {
    const [value, grads] = gradients(mask.ref, ...tensors.map((tensor) => tensor.ref)) as unknown as [Tensor, Tensor[]];
    return { loss: value, ...Object.fromEntries(names.map((name, i) => [`d${name}`, grads[i] as Tensor])) };
  });
}

const manifest = new URL("../node_modules/@jax-js/jax/package.json", import.meta.url);
export const peer: Peer = {
  versions: { "@jax-js/jax": (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version },
  workloads: { matmul, attention, train },
};
