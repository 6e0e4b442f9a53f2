// A net of two layers that learns a surface over the plane: the whole of a training run in one small piece.
import {
  AdamW,
  addScalar,
  clipByGlobalNorm,
  type Device,
  deriveSeed,
  linear,
  mean,
  randomUniform,
  record,
  scale,
  scope,
  square,
  subtract,
  type Tensor,
  tanh,
} from "@iapo/tensor-core";

const points = 512;
const hidden = 64;
const learningRate = 0.01;

/** x [points, 2], even over [-1, 1]^2, and y [points, 1] = sin(3 x1) cos(3 x2). */
function data(): { x: Float32Array; y: Float32Array } {
  const x = new Float32Array(points * 2);
  const y = new Float32Array(points);
  for (let i = 0; i < points; i++) {
    const [a, b] = [halton(i + 1, 2) * 2 - 1, halton(i + 1, 3) * 2 - 1];
    x.set([a, b], i * 2);
    y[i] = Math.sin(3 * a) * Math.cos(3 * b);
  }
  return { x, y };
}

/** Halton's low-discrepancy sequence: the digits of `index` in `base`, mirrored behind the point. */
function halton(index: number, base: number): number {
  let value = 0;
  for (let unit = 1 / base; index > 0; unit /= base) {
    value += unit * (index % base);
    index = Math.floor(index / base);
  }
  return value;
}

/** A weight [outputs, inputs] or a bias [outputs], uniform in +-1/sqrt(inputs). */
function initial(device: Device, shape: readonly number[], inputs: number, seed: number, name: string): Tensor {
  return scope(() => {
    const bound = 1 / Math.sqrt(inputs);
    const zeroToOne = randomUniform(device, shape, deriveSeed(seed, "demo", name));
    return addScalar(scale(zeroToOne, 2 * bound), -bound);
  });
}

export interface Training {
  /** One step; the loss before it. */
  step(): Promise<number>;
  dispose(): void;
}

export function startTraining(device: Device, seed = 1): Training {
  const { x: xs, y: ys } = data();
  const x = device.tensor(xs, [points, 2]);
  const y = device.tensor(ys, [points, 1]);
  const weights = {
    w1: initial(device, [hidden, 2], 2, seed, "w1"),
    b1: initial(device, [hidden], 2, seed, "b1"),
    w2: initial(device, [1, hidden], hidden, seed, "w2"),
    b2: initial(device, [1], hidden, seed, "b2"),
  };
  const parameters = Object.values(weights);
  const optimizer = new AdamW(parameters.map((master) => ({ master })));
  const loss = (): Tensor => {
    const h = tanh(linear(x, weights.w1, weights.b1));
    return mean(square(subtract(linear(h, weights.w2, weights.b2), y)));
  };
  return {
    async step() {
      const value = scope(() => {
        const recorded = record(parameters, loss);
        const gradients = recorded.backward(recorded.value);
        optimizer.step(gradients, { learningRate, clip: clipByGlobalNorm(gradients, 1) });
        return recorded.value;
      });
      const number = await value.item();
      value.dispose();
      return number;
    },
    dispose() {
      optimizer.dispose();
      for (const tensor of [x, y, ...parameters]) tensor.dispose();
    },
  };
}
