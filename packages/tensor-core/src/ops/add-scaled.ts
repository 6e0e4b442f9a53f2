// A tensor and a multiple of another: what an adapter adds to a projection, in one pass.
import { at } from "../checked.ts";
import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { defineFlatKernel, dispatchFlat } from "./elementwise.ts";
import { multiply } from "./multiply.ts";

const forward = defineFlatKernel(() => ({
  name: "add_scaled",
  reads: { x: "vec4f", z: "vec4f" },
  out: "vec4f",
  parameters: ["scale"],
  expression: "fma(vec4f(P.scale), z, x)",
}));

/** `x + scale · z`; f32, equal shapes. Throws `dtype` or `shape`. */
export const addScaled = defineOp({
  name: "addScaled",
  summary: "x + scale · z",
  call: (x: Tensor, z: Tensor, scale: number) => ({ inputs: [x, z], params: { scale } }),
  infer: ([x, z]) => {
    for (const operand of [x, z]) expectDType("addScaled", operand, "f32");
    if (String(x.shape) !== String(z.shape)) shapeError("addScaled", `${x} and ${z} differ in shape`);
    return [{ shape: x.shape }];
  },
  run: (_device, reads, [out], { scale }: { readonly scale: number }) => dispatchFlat(forward(), reads, out, [scale]),
  vjp: ({ cotangents: [g], params: { scale }, needs }) => [
    needs[0] ? g : undefined,
    needs[1] ? multiply(g, scale) : undefined,
  ],
  saves: { inputs: [] },
  reference: ([x, z], { scale }) => [
    { shape: x.shape, data: x.data.map((value, i) => value + Math.fround(scale) * at(z.data, i)) },
  ],
  cases: [
    { name: "ragged", inputs: [{ shape: [3, 7] }, { shape: [3, 7] }], params: { scale: 2 } },
    { name: "one element", inputs: [{ shape: [1] }, { shape: [1] }], params: { scale: -0.3 } },
    { name: "empty", inputs: [{ shape: [0, 4] }, { shape: [0, 4] }], params: { scale: 1 } },
    { name: "large", inputs: [{ shape: [120, 161] }, { shape: [120, 161] }], params: { scale: 0.7 }, full: true },
  ],
});
