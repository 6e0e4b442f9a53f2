import { expect, test } from "vitest";
import type { Arrays } from "../harness/types.ts";
import { type BlockCase, blockReference } from "../workloads/block-reference.ts";
import { train } from "../workloads/train.ts";

const small: BlockCase = {
  ...{ name: "small", unit: "GFLOP/s", work: 1, tolerance: 1e-3 },
  ...{ T: 5, d: 8, heads: 2, hidden: 12 },
};

test("every gradient agrees with central differences along a random direction", () => {
  const inputs = train.inputs(small);
  const gradients = blockReference(small, inputs);
  const step = 2 ** -7; // the inputs are f32: a power of two moves them exactly enough
  for (const name of Object.keys(inputs)) {
    const values = inputs[name] as Float32Array<ArrayBuffer>;
    const direction = values.map((_, i) => Math.sign(Math.sin(i * 7 + name.length)) || 1);
    const moved = (sign: number): Arrays => ({
      ...inputs,
      [name]: values.map((v, i) => v + sign * step * (direction[i] as number)),
    });
    const loss = (sign: number): number => blockReference(small, moved(sign)).loss?.[0] as number;
    const slope = (loss(1) - loss(-1)) / (2 * step);
    const predicted = (gradients[`d${name}`] as Float64Array).reduce(
      (sum, g, i) => sum + g * (direction[i] as number),
      0,
    );
    expect(predicted, name).toBeCloseTo(slope, 2);
    expect(Math.abs(predicted - slope), name).toBeLessThan(0.02 * Math.max(Math.abs(slope), 0.05));
  }
});
