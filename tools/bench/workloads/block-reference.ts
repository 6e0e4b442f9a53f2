// The transformer block of workloads/train.ts and its gradients in f64, written out by hand.
import type { Arrays, Case } from "../harness/types.ts";

export interface BlockCase extends Case {
  readonly T: number;
  readonly d: number;
  readonly heads: number;
  readonly hidden: number;
}

type Matrix = Float64Array;

const epsilon = 1e-6;

/** y [R,O] = x [R,I] w^T, with w [O,I]. */
function linear(x: Matrix, w: ArrayLike<number>, R: number, I: number, O: number): Matrix {
  const y = new Float64Array(R * O);
  for (let r = 0; r < R; r++) {
    for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let i = 0; i < I; i++) sum += (x[r * I + i] as number) * (w[o * I + i] as number);
      y[r * O + o] = sum;
    }
  }
  return y;
}

/** Adds dy w to dx [R,I] and returns dw = dy^T x [O,I]. */
function linearBackward(
  dy: Matrix,
  x: Matrix,
  w: ArrayLike<number>,
  dx: Matrix,
  R: number,
  I: number,
  O: number,
): Matrix {
  const dw = new Float64Array(O * I);
  for (let r = 0; r < R; r++) {
    for (let o = 0; o < O; o++) {
      const g = dy[r * O + o] as number;
      for (let i = 0; i < I; i++) {
        dx[r * I + i] = (dx[r * I + i] as number) + g * (w[o * I + i] as number);
        dw[o * I + i] = (dw[o * I + i] as number) + g * (x[r * I + i] as number);
      }
    }
  }
  return dw;
}

function rmsNorm(x: Matrix, gain: ArrayLike<number>, R: number, d: number): { y: Matrix; inverse: Matrix } {
  const y = new Float64Array(R * d);
  const inverse = new Float64Array(R);
  for (let r = 0; r < R; r++) {
    let squares = 0;
    for (let i = 0; i < d; i++) squares += (x[r * d + i] as number) ** 2;
    const scale = 1 / Math.sqrt(squares / d + epsilon);
    inverse[r] = scale;
    for (let i = 0; i < d; i++) y[r * d + i] = (x[r * d + i] as number) * scale * (gain[i] as number);
  }
  return { y, inverse };
}

/** Adds the input's gradient to dx and returns the gain's. */
function rmsNormBackward(
  dy: Matrix,
  x: Matrix,
  gain: ArrayLike<number>,
  inverse: Matrix,
  dx: Matrix,
  d: number,
): Matrix {
  const dgain = new Float64Array(d);
  for (let r = 0; r < inverse.length; r++) {
    const scale = inverse[r] as number;
    let dot = 0;
    for (let i = 0; i < d; i++) {
      const at = r * d + i;
      dot += (dy[at] as number) * (gain[i] as number) * (x[at] as number);
      dgain[i] = (dgain[i] as number) + (dy[at] as number) * (x[at] as number) * scale;
    }
    for (let i = 0; i < d; i++) {
      const at = r * d + i;
      const through = (dy[at] as number) * (gain[i] as number) * scale;
      dx[at] = (dx[at] as number) + through - ((x[at] as number) * dot * scale ** 3) / d;
    }
  }
  return dgain;
}

interface Attended {
  out: Matrix;
  /** Weights [heads][T][T], zero above the diagonal. */
  weights: Matrix;
}

function causalAttention(q: Matrix, k: Matrix, v: Matrix, { T, d, heads }: BlockCase): Attended {
  const D = d / heads;
  const out = new Float64Array(T * d);
  const weights = new Float64Array(heads * T * T);
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < T; t++) {
      const row = weights.subarray((h * T + t) * T, (h * T + t) * T + t + 1);
      for (let s = 0; s <= t; s++) {
        let dot = 0;
        for (let i = 0; i < D; i++) dot += (q[t * d + h * D + i] as number) * (k[s * d + h * D + i] as number);
        row[s] = dot / Math.sqrt(D);
      }
      const largest = row.reduce((a, b) => Math.max(a, b));
      let total = 0;
      for (let s = 0; s <= t; s++) {
        row[s] = Math.exp((row[s] as number) - largest);
        total += row[s] as number;
      }
      for (let s = 0; s <= t; s++) {
        const weight = (row[s] as number) / total;
        row[s] = weight;
        for (let i = 0; i < D; i++) {
          out[t * d + h * D + i] = (out[t * d + h * D + i] as number) + weight * (v[s * d + h * D + i] as number);
        }
      }
    }
  }
  return { out, weights };
}

function attentionBackward(dout: Matrix, q: Matrix, k: Matrix, v: Matrix, weights: Matrix, { T, d, heads }: BlockCase) {
  const D = d / heads;
  const dq = new Float64Array(T * d);
  const dk = new Float64Array(T * d);
  const dv = new Float64Array(T * d);
  const dweight = new Float64Array(T);
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < T; t++) {
      const row = weights.subarray((h * T + t) * T, (h * T + t) * T + t + 1);
      let mean = 0;
      for (let s = 0; s <= t; s++) {
        let dot = 0;
        for (let i = 0; i < D; i++) {
          const g = dout[t * d + h * D + i] as number;
          dot += g * (v[s * d + h * D + i] as number);
          dv[s * d + h * D + i] = (dv[s * d + h * D + i] as number) + (row[s] as number) * g;
        }
        dweight[s] = dot;
        mean += dot * (row[s] as number);
      }
      for (let s = 0; s <= t; s++) {
        const dscore = ((row[s] as number) * ((dweight[s] as number) - mean)) / Math.sqrt(D);
        for (let i = 0; i < D; i++) {
          const tAt = t * d + h * D + i;
          const sAt = s * d + h * D + i;
          dq[tAt] = (dq[tAt] as number) + dscore * (k[sAt] as number);
          dk[sAt] = (dk[sAt] as number) + dscore * (q[tAt] as number);
        }
      }
    }
  }
  return { dq, dk, dv };
}

const sum = (a: Matrix, b: Matrix): Matrix => a.map((value, i) => value + (b[i] as number));

/** Loss and the gradients of the input and of every weight, under the names that train.ts gives. */
export function blockReference(of: BlockCase, inputs: Arrays): Record<string, Float64Array> {
  const { T, d, hidden } = of;
  const x = Float64Array.from(inputs.x as Float32Array);
  const weight = (name: string): Float32Array => inputs[name] as Float32Array;

  const norm1 = rmsNorm(x, weight("gain1"), T, d);
  const [q, k, v] = ["wq", "wk", "wv"].map((name) => linear(norm1.y, weight(name), T, d, d)) as [
    Matrix,
    Matrix,
    Matrix,
  ];
  const attended = causalAttention(q, k, v, of);
  const x1 = sum(x, linear(attended.out, weight("wo"), T, d, d));
  const norm2 = rmsNorm(x1, weight("gain2"), T, d);
  const gate = linear(norm2.y, weight("wgate"), T, d, hidden);
  const up = linear(norm2.y, weight("wup"), T, d, hidden);
  const sigmoid = gate.map((g) => 1 / (1 + Math.exp(-g)));
  const inner = gate.map((g, i) => g * (sigmoid[i] as number) * (up[i] as number));
  const x2 = sum(x1, linear(inner, weight("wdown"), T, hidden, d));
  const loss = x2.reduce((total, value) => total + value * value, 0) / x2.length;

  const dx2 = x2.map((value) => (2 * value) / x2.length);
  const dinner = new Float64Array(T * hidden);
  const dwdown = linearBackward(dx2, inner, weight("wdown"), dinner, T, hidden, d);
  const dup = dinner.map((g, i) => g * (gate[i] as number) * (sigmoid[i] as number));
  const dgate = dinner.map((g, i) => {
    const s = sigmoid[i] as number;
    return g * (up[i] as number) * s * (1 + (gate[i] as number) * (1 - s));
  });
  const dnorm2 = new Float64Array(T * d);
  const dwup = linearBackward(dup, norm2.y, weight("wup"), dnorm2, T, d, hidden);
  const dwgate = linearBackward(dgate, norm2.y, weight("wgate"), dnorm2, T, d, hidden);
  const dx1 = dx2.slice();
  const dgain2 = rmsNormBackward(dnorm2, x1, weight("gain2"), norm2.inverse, dx1, d);

  const dattended = new Float64Array(T * d);
  const dwo = linearBackward(dx1, attended.out, weight("wo"), dattended, T, d, d);
  const { dq, dk, dv } = attentionBackward(dattended, q, k, v, attended.weights, of);
  const dnorm1 = new Float64Array(T * d);
  const dwq = linearBackward(dq, norm1.y, weight("wq"), dnorm1, T, d, d);
  const dwk = linearBackward(dk, norm1.y, weight("wk"), dnorm1, T, d, d);
  const dwv = linearBackward(dv, norm1.y, weight("wv"), dnorm1, T, d, d);
  const dx = dx1.slice();
  const dgain1 = rmsNormBackward(dnorm1, x, weight("gain1"), norm1.inverse, dx, d);
  return { loss: Float64Array.of(loss), dx, dgain1, dwq, dwk, dwv, dwo, dgain2, dwgate, dwup, dwdown };
}
