// The tape: chosen tensors, several backward passes, checkpoints, accumulation in place, and its errors.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  add,
  checkpoint,
  type Device,
  grad,
  layerNorm,
  noGrad,
  openDevice,
  record,
  rmsNorm,
  scope,
  type Tensor,
  tanh,
} from "../src/index.ts";

let device: Device;
let live = 0;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());
beforeEach(() => {
  live = device.memory().liveBytes;
});
afterEach(() => {
  expect(device.memory().liveBytes).toBe(live);
});

const vector = (...values: number[]) => device.tensor(values, [values.length]);
const derivative = (x: number) => 1 - Math.tanh(x) ** 2;
const numbers = async (...tensors: Tensor[]) => {
  const out: number[][] = [];
  for (const t of tensors) {
    out.push([...(await t.values())]);
    t.dispose();
  }
  return out;
};

test("gradients flow to every use of a tensor", async () => {
  using x = vector(0.5, -1);
  const { value, gradients } = scope(() => {
    const recorded = record([x], () => add(tanh(x), add(x, x)));
    return { value: recorded.value, gradients: recorded.backward([[recorded.value, vector(1, 10)]]) };
  });
  const [sum, dx] = await numbers(value, gradients[0]!);
  expect(sum![0]).toBeCloseTo(Math.tanh(0.5) + 1, 6);
  expect(dx![0]).toBeCloseTo(derivative(0.5) + 2, 6);
  expect(dx![1]).toBeCloseTo(10 * (derivative(-1) + 2), 5);
});

test("a one-element loss needs no cotangent", async () => {
  using x = vector(0.3);
  const { value, gradients } = grad(() => tanh(x), [x]);
  const [y, dx] = await numbers(value, gradients[0]!);
  expect(y![0]).toBeCloseTo(Math.tanh(0.3), 6);
  expect(dx![0]).toBeCloseTo(derivative(0.3), 6);
});

test("an intermediate can be differentiated by, and what is not reached gets zeros", async () => {
  using x = vector(0.5);
  using unused = vector(1, 2, 3);
  const gradients = scope(() => {
    let inner: Tensor | undefined;
    const recorded = record([x, unused], () => {
      inner = tanh(x);
      return tanh(inner);
    });
    return recorded.backward(recorded.value, { wrt: [inner!, x, unused] });
  });
  const [dInner, dx, dUnused] = await numbers(...gradients);
  expect(dInner![0]).toBeCloseTo(derivative(Math.tanh(0.5)), 6);
  expect(dx![0]).toBeCloseTo(derivative(Math.tanh(0.5)) * derivative(0.5), 6);
  expect(dUnused).toEqual([0, 0, 0]);
});

test("one forward serves several backward passes when retained, and gives the same bits", async () => {
  using x = vector(0.1, 0.2, 0.3);
  const recorded = record([x], () => scope(() => add(tanh(x), tanh(tanh(x)))));
  const passes: Tensor[] = [];
  for (const retain of [true, true, false]) {
    using seed = vector(1, 2, 3);
    passes.push(recorded.backward([[recorded.value, seed]], { retain })[0]!);
  }
  expect(() => recorded.backward([[recorded.value, x]])).toThrow(/used up.*retain/);
  recorded.value.dispose();
  const [a, b, c] = await numbers(...passes);
  expect(b).toEqual(a);
  expect(c).toEqual(a);
});

test("gradients are added to given tensors in place", async () => {
  using x = vector(1);
  using total = vector(5);
  scope(() => {
    const recorded = record([x], () => add(x, x));
    return recorded.backward(recorded.value, { into: [total] }).length;
  });
  expect([...(await total.values())]).toEqual([7]);
});

test.each([24, 7])("a norm adds to the gradient that there is in its kernel: rows of %d", async (width) => {
  const values = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * step));
  const norms = {
    rmsNorm: (x: Tensor, w: Tensor) => rmsNorm(x, w),
    layerNorm: (x: Tensor, w: Tensor) => layerNorm(x, w, w),
  };
  for (const [name, norm] of Object.entries(norms)) {
    using x = device.tensor(values(5 * width, 0.7), [5, width]);
    using w = device.tensor(values(width, 1.3), [width]);
    using g = device.tensor(values(5 * width, 2.1), [5, width]);
    const gradients = (fn: () => Tensor): Tensor[] =>
      scope(() => {
        const recorded = record([x, w], fn);
        const before = device.dispatches;
        const made = recorded.backward([[recorded.value, g]]);
        dispatches.push(device.dispatches - before);
        return made;
      });
    const dispatches: number[] = [];
    const [alone, ofWeight] = gradients(() => norm(x, w)) as [Tensor, Tensor];
    const both = gradients(() => add(x, norm(x, w)));
    const twice = gradients(() => {
      const normed = norm(x, w);
      return add(normed, add(x, x)); // the sum so far has no other handle
    });
    const [once, sum] = scope(() => [add(g, alone), add(add(g, g), alone)]) as [Tensor, Tensor];
    alone.dispose();
    expect(dispatches[1], name).toBe(dispatches[0]);
    const [expectedSum, expectedTwice, expectedWeight, ...got] = await numbers(once, sum, ofWeight, ...both, ...twice);
    expect(got, name).toEqual([expectedSum, expectedWeight, expectedTwice, expectedWeight]);
  }
});

test("a checkpoint gives the same bits and keeps fewer bytes", async () => {
  using x = device.tensor(new Float32Array(4096).fill(0.3), [4096]);
  using w = device.tensor(new Float32Array(4096).fill(0.1), [4096]);
  const layer = (h: Tensor) => tanh(add(tanh(add(tanh(h), w)), w));
  const run = (wrapped: boolean) => {
    const recorded = record([x, w], () =>
      scope(() => [0, 1, 2].reduce((h) => (wrapped ? checkpoint(layer, [h]) : layer(h)), x)),
    );
    const held = device.memory().liveBytes;
    const gradients = scope(() => recorded.backward([[recorded.value, x]]));
    recorded.value.dispose();
    return { held, gradients };
  };
  const plain = run(false);
  const saved = run(true);
  expect(saved.held).toBeLessThan(plain.held);
  const [a, b, c, d] = await numbers(...plain.gradients, ...saved.gradients);
  expect(c).toEqual(a);
  expect(d).toEqual(b);
});

test("nothing is recorded in noGrad, nor for tensors that are not sources", () => {
  using x = vector(1);
  using y = vector(1);
  const recorded = record([x], () =>
    scope(() =>
      add(
        noGrad(() => tanh(x)),
        tanh(y),
      ),
    ),
  );
  scope(() => {
    expect(recorded.backward(recorded.value)).toHaveLength(1);
    expect(() => record([x], () => tanh(y)).backward(y, { wrt: [y] })).toThrow(/not on this tape/);
  });
  recorded.value.dispose();
});

test("misuse is a clear error", () => {
  using x = vector(1, 2);
  expect(() => grad(() => tanh(x), [x])).toThrow(/needs a cotangent/);
  const gone = vector(1);
  gone.dispose();
  expect(() => tanh(gone)).toThrow(/was disposed/);
  expect(() => scope(async () => 1)).toThrow(/synchronous/);
  using y = vector(1, 2, 3);
  expect(() => add(x, y)).toThrow(/add/);
});
