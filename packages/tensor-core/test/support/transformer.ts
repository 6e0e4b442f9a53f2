// A two-layer transformer, written once on the GPU and once on the f64 twin, from the same starting values.
import {
  AdamW,
  add,
  attention,
  clipByGlobalNorm,
  type Device,
  gatherRows,
  grad,
  linear,
  logProbs,
  mean,
  negate,
  RowIndex,
  rmsNorm,
  Segments,
  scope,
  siluGate,
  type Tensor,
} from "@iapo/tensor-core";
import { normal, seededRandom } from "@iapo/tensor-core/testing";
import { Reference, type Value } from "./f64.ts";

const VOCABULARY = 48;
const WIDTH = 32;
const HEADS = 2;
const KV_HEADS = 1;
const FEED_FORWARD = 56;
const LAYERS = 2;
const LENGTH = 24;
const SEQUENCES = 4;
const EPS = 1e-6;
export const OPTIMIZER = { learningRate: 3e-3, beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01 } as const;

/** Shapes by name; vectors are `[1, n]` on the twin and `[n]` on the GPU. */
function shapes(): Map<string, [rows: number, columns: number]> {
  const all = new Map<string, [number, number]>([["embedding", [VOCABULARY, WIDTH]]]);
  for (let i = 0; i < LAYERS; i++) {
    all.set(`${i}.norm1`, [1, WIDTH]).set(`${i}.norm2`, [1, WIDTH]);
    all
      .set(`${i}.q`, [WIDTH, WIDTH])
      .set(`${i}.k`, [WIDTH / HEADS, WIDTH])
      .set(`${i}.v`, [WIDTH / HEADS, WIDTH]);
    all.set(`${i}.o`, [WIDTH, WIDTH]).set(`${i}.gate`, [FEED_FORWARD, WIDTH]).set(`${i}.up`, [FEED_FORWARD, WIDTH]);
    all.set(`${i}.down`, [WIDTH, FEED_FORWARD]);
  }
  return all.set("norm", [1, WIDTH]);
}

function startingValues(seed: string): Map<string, Float32Array> {
  const random = seededRandom(seed);
  return new Map(
    [...shapes()].map(([name, [rows, columns]]) => [
      name,
      Float32Array.from({ length: rows * columns }, () => (rows === 1 ? 1 : normal(random) / Math.sqrt(columns))),
    ]),
  );
}

/** A fixed text to learn: a noisy walk over the vocabulary. Row i of a sequence predicts token i + 1. */
function data(seed: string): { ids: Int32Array; targets: Int32Array } {
  const random = seededRandom(`${seed} data`);
  const ids: number[] = [];
  const targets: number[] = [];
  for (let s = 0; s < SEQUENCES; s++) {
    let token = Math.floor(random() * VOCABULARY);
    for (let i = 0; i < LENGTH; i++) {
      ids.push(token);
      token = random() < 0.8 ? (token * 5 + 3) % VOCABULARY : Math.floor(random() * VOCABULARY);
      targets.push(token);
    }
  }
  return { ids: Int32Array.from(ids), targets: Int32Array.from(targets) };
}

/** The f64 twin's losses of `steps` steps. */
export function referenceLosses(seed: string, steps: number): number[] {
  const { ids, targets } = data(seed);
  const tape = new Reference();
  const state = new Map(
    [...startingValues(seed)].map(([name, values]) => [
      name,
      { values: Float64Array.from(values), m: new Float64Array(values.length), v: new Float64Array(values.length) },
    ]),
  );
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const p = new Map<string, Value>(
      [...shapes()].map(([name, [rows, columns]]) => [name, tape.value(rows, columns, state.get(name)!.values)]),
    );
    const w = (name: string) => p.get(name)!;
    let x = tape.embedding(w("embedding"), ids);
    for (let i = 0; i < LAYERS; i++) {
      const n = tape.rmsNorm(x, w(`${i}.norm1`), EPS);
      const [q, k, v] = ["q", "k", "v"].map((part) => tape.linear(n, w(`${i}.${part}`)));
      x = tape.add(x, tape.linear(tape.attention(q!, k!, v!, HEADS, KV_HEADS, LENGTH), w(`${i}.o`)));
      const h = tape.rmsNorm(x, w(`${i}.norm2`), EPS);
      x = tape.add(
        x,
        tape.linear(tape.siluGate(tape.linear(h, w(`${i}.gate`)), tape.linear(h, w(`${i}.up`))), w(`${i}.down`)),
      );
    }
    const loss = tape.crossEntropy(tape.linear(tape.rmsNorm(x, w("norm"), EPS), w("embedding")), targets);
    losses.push(loss.data[0]!);
    tape.backward(loss);
    const { learningRate, beta1, beta2, epsilon, weightDecay } = OPTIMIZER;
    for (const [name, s] of state) {
      w(name).grad.forEach((g, i) => {
        s.values[i]! *= 1 - learningRate * weightDecay;
        s.m[i] = beta1 * s.m[i]! + (1 - beta1) * g;
        s.v[i] = beta2 * s.v[i]! + (1 - beta2) * g * g;
        const mHat = s.m[i]! / (1 - beta1 ** step);
        const vHat = s.v[i]! / (1 - beta2 ** step);
        s.values[i]! -= (learningRate * mHat) / (Math.sqrt(vHat) + epsilon);
      });
    }
  }
  return losses;
}

/** The same transformer on a device. */
export class Transformer {
  readonly #weights: Map<string, Tensor>;
  readonly #segments: Segments;
  readonly #ids: RowIndex;
  readonly #targets: Int32Array;
  readonly #optimizer: AdamW;

  constructor(device: Device, seed: string) {
    const values = startingValues(seed);
    this.#weights = new Map(
      [...shapes()].map(([name, [rows, columns]]) => [
        name,
        device.tensor(values.get(name)!, rows === 1 ? [columns] : [rows, columns]),
      ]),
    );
    const { ids, targets } = data(seed);
    this.#ids = RowIndex.of(device, ids, VOCABULARY);
    this.#targets = targets;
    const runs = Array.from({ length: SEQUENCES }, (_, s) => ({
      queryStart: s * LENGTH,
      queryCount: LENGTH,
      prefixStart: 0,
      prefixCount: 0,
      ownStart: s * LENGTH,
      ownCount: LENGTH,
      causal: true,
    }));
    this.#segments = Segments.of(device, runs);
    const { beta1, beta2, epsilon, weightDecay } = OPTIMIZER;
    this.#optimizer = new AdamW(
      [...this.#weights.values()].map((master) => ({ master })),
      { betas: [beta1, beta2], epsilon, weightDecay },
    );
  }

  /** One step; returns its loss, to be read and disposed by the caller. */
  step(): Tensor {
    return scope(() => {
      const { value, gradients } = grad(() => this.#loss(), [...this.#weights.values()]);
      const { learningRate } = OPTIMIZER;
      this.#optimizer.step(gradients, { learningRate, clip: clipByGlobalNorm(gradients, 1e9) });
      return value;
    });
  }

  async weightBits(): Promise<Uint32Array[]> {
    const all: Uint32Array[] = [];
    for (const tensor of this.#weights.values()) all.push(new Uint32Array((await tensor.values()).buffer));
    return all;
  }

  dispose(): void {
    for (const tensor of this.#weights.values()) tensor.dispose();
    this.#segments.dispose();
    this.#ids.dispose();
    this.#optimizer.dispose();
  }

  #loss(): Tensor {
    const w = (name: string) => this.#weights.get(name)!;
    const options = { heads: HEADS, kvHeads: KV_HEADS, headDim: WIDTH / HEADS, scale: 1 / Math.sqrt(WIDTH / HEADS) };
    let x = gatherRows(w("embedding"), this.#ids);
    for (let i = 0; i < LAYERS; i++) {
      const n = rmsNorm(x, w(`${i}.norm1`), EPS);
      const [q, k, v] = ["q", "k", "v"].map((part) => linear(n, w(`${i}.${part}`)));
      x = add(x, linear(attention(q!, k!, v!, this.#segments, options), w(`${i}.o`)));
      const h = rmsNorm(x, w(`${i}.norm2`), EPS);
      x = add(x, linear(siluGate(linear(h, w(`${i}.gate`)), linear(h, w(`${i}.up`))), w(`${i}.down`)));
    }
    const rows = Int32Array.from(this.#targets, (_, i) => i);
    const { logProb } = logProbs(rmsNorm(x, w("norm"), EPS), w("embedding"), { rows, targets: this.#targets });
    return negate(mean(logProb));
  }
}
