// Fits sin(x) by a network of one hidden layer. node examples/mlp.ts
import {
  AdamW,
  add,
  clipByGlobalNorm,
  grad,
  linear,
  mean,
  openDevice,
  randomNormal,
  scope,
  sin,
  square,
  subtract,
  tanh,
} from "@iapo/tensor-core";

const device = await openDevice();
const x = device.tensor(
  Array.from({ length: 64 }, (_, i) => i / 10 - 3.2),
  [64, 1],
);
const wanted = scope(() => sin(x));
const w1 = randomNormal(device, [32, 1], [1, 0]); // [out, in]; [1, 0] is the seed
const b1 = device.tensor(new Float32Array(32), [32]);
const w2 = randomNormal(device, [1, 32], [2, 0]);
const optimizer = new AdamW(
  [w1, b1, w2].map((master) => ({ master })),
  { weightDecay: 0 },
);

for (let step = 0; step <= 300; step++) {
  const loss = scope(() => {
    const network = () => linear(tanh(add(linear(x, w1), b1)), w2);
    const { value, gradients } = grad(() => mean(square(subtract(network(), wanted))), [w1, b1, w2]);
    optimizer.step(gradients, { learningRate: 0.02, clip: clipByGlobalNorm(gradients, 1) });
    return value;
  });
  if (step % 100 === 0) console.log(`step ${step}: loss ${(await loss.item()).toFixed(4)}`);
  loss.dispose();
}
device.close();
