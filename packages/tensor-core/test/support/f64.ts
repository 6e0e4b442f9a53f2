// A slow twin for training tests: a reverse tape over Float64Array with just the ops of a small transformer. Independent of the library.

export interface Value {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
  readonly grad: Float64Array;
}

export class Reference {
  readonly #backward: (() => void)[] = [];

  value(rows: number, columns: number, data: ArrayLike<number> = new Float64Array(rows * columns)): Value {
    return { rows, columns, data: Float64Array.from(data), grad: new Float64Array(rows * columns) };
  }

  backward(loss: Value): void {
    loss.grad[0] = 1;
    for (const step of this.#backward.reverse()) step();
    this.#backward.length = 0;
  }

  add(a: Value, b: Value): Value {
    const out = this.value(
      a.rows,
      a.columns,
      a.data.map((x, i) => x + b.data[i]!),
    );
    this.#backward.push(() => {
      out.grad.forEach((g, i) => {
        a.grad[i]! += g;
        b.grad[i]! += g;
      });
    });
    return out;
  }

  /** `x w^T`; w is `[out, in]`. */
  linear(x: Value, w: Value): Value {
    const out = this.value(x.rows, w.rows);
    for (let i = 0; i < x.rows; i++)
      for (let j = 0; j < w.rows; j++)
        for (let k = 0; k < x.columns; k++)
          out.data[i * w.rows + j]! += x.data[i * x.columns + k]! * w.data[j * x.columns + k]!;
    this.#backward.push(() => {
      for (let i = 0; i < x.rows; i++)
        for (let j = 0; j < w.rows; j++) {
          const g = out.grad[i * w.rows + j]!;
          for (let k = 0; k < x.columns; k++) {
            x.grad[i * x.columns + k]! += g * w.data[j * x.columns + k]!;
            w.grad[j * x.columns + k]! += g * x.data[i * x.columns + k]!;
          }
        }
    });
    return out;
  }

  embedding(table: Value, ids: ArrayLike<number>): Value {
    const width = table.columns;
    const out = this.value(ids.length, width);
    for (let i = 0; i < ids.length; i++)
      for (let k = 0; k < width; k++) out.data[i * width + k] = table.data[ids[i]! * width + k]!;
    this.#backward.push(() => {
      for (let i = 0; i < ids.length; i++)
        for (let k = 0; k < width; k++) table.grad[ids[i]! * width + k]! += out.grad[i * width + k]!;
    });
    return out;
  }

  rmsNorm(x: Value, w: Value, eps: number): Value {
    const n = x.columns;
    const out = this.value(x.rows, n);
    const inverse = Float64Array.from({ length: x.rows }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += x.data[i * n + k]! ** 2;
      return 1 / Math.sqrt(sum / n + eps);
    });
    out.data.forEach((_, i) => {
      out.data[i] = x.data[i]! * inverse[Math.floor(i / n)]! * w.data[i % n]!;
    });
    this.#backward.push(() => {
      for (let i = 0; i < x.rows; i++) {
        const r = inverse[i]!;
        let dot = 0;
        for (let k = 0; k < n; k++) dot += out.grad[i * n + k]! * w.data[k]! * x.data[i * n + k]!;
        for (let k = 0; k < n; k++) {
          const at = i * n + k;
          x.grad[at]! += r * out.grad[at]! * w.data[k]! - (r ** 3 * dot * x.data[at]!) / n;
          w.grad[k]! += out.grad[at]! * x.data[at]! * r;
        }
      }
    });
    return out;
  }

  siluGate(gate: Value, up: Value): Value {
    const sigmoid = gate.data.map((x) => 1 / (1 + Math.exp(-x)));
    const out = this.value(
      gate.rows,
      gate.columns,
      gate.data.map((x, i) => x * sigmoid[i]! * up.data[i]!),
    );
    this.#backward.push(() => {
      out.grad.forEach((g, i) => {
        const s = sigmoid[i]!;
        const x = gate.data[i]!;
        gate.grad[i]! += g * up.data[i]! * (s + x * s * (1 - s));
        up.grad[i]! += g * x * s;
      });
    });
    return out;
  }

  /** Causal attention within runs of `length` rows; grouped queries. */
  attention(q: Value, k: Value, v: Value, heads: number, kvHeads: number, length: number): Value {
    const d = q.columns / heads;
    const out = this.value(q.rows, q.columns);
    const scale = 1 / Math.sqrt(d);
    const each = (visit: (i: number, h: number, at: number, keys: number[], kv: number) => void) => {
      for (let i = 0; i < q.rows; i++)
        for (let h = 0; h < heads; h++) {
          const first = Math.floor(i / length) * length;
          const keys = Array.from({ length: i - first + 1 }, (_, j) => first + j);
          visit(i, h, i * q.columns + h * d, keys, Math.floor((h * kvHeads) / heads) * d);
        }
    };
    const dot = (a: Float64Array, i: number, b: Float64Array, j: number) => {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += a[i + c]! * b[j + c]!;
      return sum;
    };
    const weights = new Map<string, number[]>();
    each((i, h, at, keys, kv) => {
      const scores = keys.map((j) => scale * dot(q.data, at, k.data, j * k.columns + kv));
      const largest = Math.max(...scores);
      const exps = scores.map((s) => Math.exp(s - largest));
      const total = exps.reduce((a, b) => a + b, 0);
      const p = exps.map((e) => e / total);
      weights.set(`${i},${h}`, p);
      p.forEach((weight, n) => {
        for (let c = 0; c < d; c++) out.data[at + c]! += weight * v.data[keys[n]! * v.columns + kv + c]!;
      });
    });
    this.#backward.push(() => {
      each((i, h, at, keys, kv) => {
        const p = weights.get(`${i},${h}`)!;
        const dp = keys.map((j) => dot(out.grad, at, v.data, j * v.columns + kv));
        const mean = p.reduce((sum, weight, n) => sum + weight * dp[n]!, 0);
        keys.forEach((j, n) => {
          const ds = p[n]! * (dp[n]! - mean) * scale;
          for (let c = 0; c < d; c++) {
            const key = j * k.columns + kv + c;
            q.grad[at + c]! += ds * k.data[key]!;
            k.grad[key]! += ds * q.data[at + c]!;
            v.grad[key]! += p[n]! * out.grad[at + c]!;
          }
        });
      });
    });
    return out;
  }

  /** Mean of `-log softmax(logits)[target]` over rows. */
  crossEntropy(logits: Value, targets: ArrayLike<number>): Value {
    const n = logits.columns;
    const loss = this.value(1, 1);
    const softmax = new Float64Array(logits.data.length);
    for (let i = 0; i < logits.rows; i++) {
      const row = logits.data.subarray(i * n, (i + 1) * n);
      const largest = Math.max(...row);
      const total = row.reduce((sum, x) => sum + Math.exp(x - largest), 0);
      row.forEach((x, j) => {
        softmax[i * n + j] = Math.exp(x - largest) / total;
      });
      loss.data[0]! -= Math.log(softmax[i * n + targets[i]!]!) / logits.rows;
    }
    this.#backward.push(() => {
      softmax.forEach((p, at) => {
        const hit = targets[Math.floor(at / n)] === at % n ? 1 : 0;
        logits.grad[at]! += (loss.grad[0]! * (p - hit)) / logits.rows;
      });
    });
    return loss;
  }
}
