// What a reduction over one axis, or over everything, needs to be an op.
import type { Tensor } from "../tensor.ts";
import { type AxisParams, aroundAxis, keptAxis, resolveAxis, withoutAxis } from "./axis.ts";
import { defineOp, expectDType, type Op, type OpCase, type ReferenceArray, shapeError } from "./define.ts";
import { dispatchReduce, type ReductionKind } from "./reduce.ts";
import { reshape } from "./reshape.ts";

export interface ReductionSpec {
  readonly name: string;
  readonly summary: string;
  readonly kind: ReductionKind;
  /** What the result is multiplied by, for that many elements. Default 1. */
  readonly factor?: (length: number) => number;
  /** What can't be done with no elements, as the error says it; absent where it can. */
  readonly needsElements?: string;
  /** The gradient, of the input's shape. `g` and `y` have length 1 where the axis was. */
  readonly gradient: (g: Tensor, context: ReductionContext) => Tensor;
  /** Whether `gradient` reads the contents of `x` and `y`, not only their shapes. */
  readonly saves?: boolean;
  /** The result for one group, in f64. */
  readonly value: (group: Float64Array) => number;
}

export interface ReductionContext {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly axis: number | undefined;
  /** Elements of a group. */
  readonly length: number;
}

/** An op that reduces f32 over `axis` (dropped from the shape; negative counts from the end), or all elements (shape []). */
export function defineReduction(spec: ReductionSpec): ((x: Tensor, axis?: number) => Tensor) & Op {
  const { name, kind, factor = () => 1, needsElements, saves = false } = spec;
  return defineOp({
    name,
    summary: spec.summary,
    call: (x: Tensor, axis?: number) => {
      const params: AxisParams = { axis: axis === undefined ? undefined : resolveAxis(name, x.shape, axis) };
      return { inputs: [x], params };
    },
    infer: ([x], { axis }) => {
      expectDType(name, x, "f32");
      if (needsElements && aroundAxis(x.shape, axis).length === 0)
        shapeError(name, `${x} has no elements to ${needsElements}`);
      return [{ shape: withoutAxis(x.shape, axis) }];
    },
    run: (device, [x], [out], { axis }) => {
      const view = aroundAxis(x.shape, axis);
      dispatchReduce(device, kind, [x], out, { ...view, factor: factor(view.length) });
    },
    vjp: ({ inputs: [x], outputs: [y], cotangents: [g], params: { axis } }) => {
      const kept = keptAxis(x.shape, axis);
      const { length } = aroundAxis(x.shape, axis);
      return [spec.gradient(reshape(g, kept), { x, y: saves ? reshape(y, kept) : y, axis, length })];
    },
    saves: saves ? { inputs: [0], outputs: [0] } : { inputs: [] },
    reference: ([x], { axis }) => [referenceReduce(x, axis, spec.value)],
    cases: needsElements ? reductionCases : [...reductionCases, ofNothing],
  });
}

/** The f64 reference of a reduction: `fold` gets the elements of one group. */
function referenceReduce(
  x: ReferenceArray,
  axis: number | undefined,
  fold: (values: Float64Array) => number,
): ReferenceArray {
  const { outer, length, inner } = aroundAxis(x.shape, axis);
  const data = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * length * inner + i;
      data[o * inner + i] = fold(x.data.subarray(start, start + length * inner).filter((_, k) => k % inner === 0));
    }
  }
  return { shape: withoutAxis(x.shape, axis), data };
}

/** The shapes a reduction is tried on: each kernel layout, one and several blocks and passes. */
const reductionCases: readonly OpCase<AxisParams>[] = [
  { name: "all, ragged", inputs: [{ shape: [3, 7] }], params: { axis: undefined } },
  { name: "one element", inputs: [{ shape: [1] }], params: { axis: 0 } },
  { name: "last axis, vec4", inputs: [{ shape: [5, 8] }], params: { axis: 1 } },
  { name: "last axis, blocks", inputs: [{ shape: [3, 1030] }], params: { axis: 1 } },
  { name: "first axis, vec4", inputs: [{ shape: [300, 12] }], params: { axis: 0 } },
  { name: "first axis, ragged", inputs: [{ shape: [7, 5] }], params: { axis: 0 } },
  { name: "middle axis", inputs: [{ shape: [2, 3, 4] }], params: { axis: 1 } },
  { name: "two passes", inputs: [{ shape: [131, 127] }], params: { axis: undefined } },
  { name: "two passes over columns", inputs: [{ shape: [5000, 4] }], params: { axis: 0 }, full: true },
  { name: "no rows left", inputs: [{ shape: [4, 0] }], params: { axis: 0 } },
];
const ofNothing: OpCase<AxisParams> = { name: "of nothing", inputs: [{ shape: [0, 4] }], params: { axis: 0 } };
