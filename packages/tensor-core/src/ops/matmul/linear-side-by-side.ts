// Linear layers of the same rows, their outputs side by side: one product where the weights lie one behind the other, and so forward as backward.
import { at, matrixShape, rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { emptyAlike } from "../../memory/pack.ts";
import { stackOf } from "../../memory/stack.ts";
import type { Tensor } from "../../tensor.ts";
import { addInto } from "../add-into.ts";
import { defineOp, expectDType, type OpCase, type ReferenceArray, shapeError } from "../define.ts";
import { addsParts, addsResidual, matmulInto } from "./dispatch.ts";
import { columnSums, linear, parameterGradients } from "./linear.ts";

export interface SideBySideOptions {
  /** f32 [out], one for each weight. */
  readonly biases?: readonly Tensor[];
  /** Added to what comes out; f32, of its shape. */
  readonly residual?: Tensor | undefined;
}

interface Params {
  readonly weights: number;
  readonly biases: number;
}

/** The inputs by what they are. */
function named<T>(inputs: readonly T[], { weights, biases }: Params) {
  const [x, ...others] = inputs as readonly [T, ...T[]];
  const end = weights + biases;
  return { x, weights: others.slice(0, weights), biases: others.slice(weights, end), residual: others[end] };
}

/**
 * `residual + (x weight^T + bias)` for each of `weights`, whose outputs lie side by side: x f32 [rows, in], weights f32 or bf16 [out, in], not in
 * shards; gives f32 [rows, all outputs]. To the bits of `linear`, `concat` and `add`. Throws `shape` or `dtype`.
 */
export const linearSideBySide = defineOp({
  name: "linearSideBySide",
  summary: "residual + x weight^T + bias for several weights, outputs side by side",
  call: (x: Tensor, weights: readonly Tensor[], { biases = [], residual }: SideBySideOptions = {}) => ({
    inputs: [x, ...weights, ...biases, ...(residual ? [residual] : [])],
    params: { weights: weights.length, biases: biases.length },
  }),
  infer: (inputs: readonly Tensor[], params: Params) => {
    const { x, weights, biases, residual } = named(inputs, params);
    for (const t of [x, ...biases, ...(residual ? [residual] : [])]) expectDType("linearSideBySide", t, "f32");
    const [rows, width, ...more] = x.shape;
    if (rows === undefined || more.length > 0 || weights.length === 0)
      shapeError("linearSideBySide", `takes rows [rows, in] and weights, not ${x} and ${weights.length} weights`);
    for (const weight of weights) {
      expectDType("linearSideBySide", weight, "f32", "bf16");
      if (weight.shape.length !== 2 || weight.shape[1] !== width || weight.shards)
        shapeError("linearSideBySide", `${x} does not fit the weight ${weight}: [out, in], whole, is wanted`);
    }
    const fits = biases.length === 0 || String(biases.map(({ shape }) => shape)) === String(weights.map(rowsOf));
    if (!fits) shapeError("linearSideBySide", `biases ${biases.join(", ")} do not fit weights ${weights.join(", ")}`);
    const shape = [rows, weights.reduce((sum, weight) => sum + rowsOf(weight), 0)];
    if (residual && String(residual.shape) !== String(shape))
      shapeError("linearSideBySide", `${residual} is nothing that [${shape.join(", ")}] is added to`);
    return [{ shape }];
  },
  run: (device, inputs, [out], params) => forward(device, named(inputs, params), out),
  vjp: ({ inputs, cotangents: [g], needs, into, params }) => {
    const { x, weights, biases, residual } = named(inputs, params);
    const of = named(needs, params);
    const places = named(into, params);
    return [
      of.x ? inputGradient(x, weights, g) : undefined,
      ...parameterGradientsOf({ x, weights, biases }, g, of, places),
      ...(residual ? [of.residual ? g : undefined] : []),
    ];
  },
  saves: ({ weights }) => ({ inputs: Array.from({ length: 1 + weights }, (_, k) => k) }),
  reference: (inputs, params): [ReferenceArray] => {
    const { x, weights, biases, residual } = named<ReferenceArray>(inputs, params);
    const pieces = weights.map((weight, k) => {
      const bias = biases[k];
      return at(linear.reference(bias ? [x, weight, bias] : [x, weight], {}), 0);
    });
    const rows = rowsOf(x);
    const data = Array.from({ length: rows }, (_, row) =>
      pieces.flatMap((piece) => [
        ...piece.data.subarray(row * (piece.shape[1] ?? 0), (row + 1) * (piece.shape[1] ?? 0)),
      ]),
    ).flat();
    const shape = [rows, pieces.reduce((sum, piece) => sum + (piece.shape[1] ?? 0), 0)];
    return [{ shape, data: Float64Array.from(data, (value, i) => value + (residual ? at(residual.data, i) : 0)) }];
  },
  cases: [
    sideBySideCase(3, 10, [7, 5], { biased: true }),
    sideBySideCase(3, 10, [6, 4, 2], { dtype: "bf16", biased: true }),
    sideBySideCase(37, 50, [66], { biased: true, added: true }),
    sideBySideCase(5, 6, [3, 4], { added: true }),
    sideBySideCase(0, 5, [4, 3], {}),
    sideBySideCase(70, 132, [200, 60], { dtype: "bf16" }),
    sideBySideCase(70, 132, [300, 96, 32], { biased: true, full: true }),
  ],
});

interface Layers {
  readonly x: Tensor;
  readonly weights: readonly Tensor[];
  readonly biases: readonly Tensor[];
  readonly residual: Tensor | undefined;
}

function forward(device: Device, { x, weights, biases, residual }: Layers, out: Tensor): void {
  const [m, k] = matrixShape(x);
  const [, stride] = matrixShape(out);
  using stack = stackOf(weights);
  using biasStack = biases.length > 0 ? stackOf(biases) : undefined;
  const joins = stack && (biases.length === 0 || biasStack);
  const isAdded = joins && residual && addsResidual(device, { m, n: stride, k, b: stack });
  const parts = joins
    ? [{ weight: stack, bias: biasStack }]
    : weights.map((weight, i) => ({ weight, bias: biases[i] }));
  let column = 0;
  for (const { weight, bias } of parts) {
    const call = { layout: "nt", a: x, b: weight, out, m, n: rowsOf(weight), k, ...(bias ? { bias } : {}) } as const;
    const place = joins ? {} : { outColumns: { column, stride } };
    matmulInto(device, { ...call, ...place, ...(isAdded ? { finish: { residual } } : {}) });
    column += rowsOf(weight);
  }
  if (residual && !isAdded) addInto(out, residual);
}

/** The sum over the weights, from the last to the first, of each one's whole product: what a tape makes of the gradients of layers one after the other. */
function inputGradient(x: Tensor, weights: readonly Tensor[], g: Tensor): Tensor {
  const { device } = x;
  const [m, n] = matrixShape(x);
  const [, stride] = matrixShape(g);
  const parts = weights.map(rowsOf);
  const whole = { layout: "nn", a: g, m, n } as const;
  const out = device.empty(x.shape);
  using stack = stackOf(weights);
  if (stack && addsParts(device, { m, n, k: stride, b: stack }, parts)) {
    matmulInto(device, { ...whole, b: stack, out, k: stride, parts });
    return out;
  }
  let column = stride;
  for (const b of weights.toReversed()) {
    column -= rowsOf(b);
    const call = { ...whole, b, k: rowsOf(b), aColumns: { column, stride } };
    if (column + rowsOf(b) === stride) {
      matmulInto(device, { ...call, out });
      continue;
    }
    using own = device.empty(x.shape);
    matmulInto(device, { ...call, out: own });
    addInto(out, own);
  }
  return out;
}

/** By weight, and by bias. */
function parameterGradientsOf(
  { x, weights, biases }: Omit<Layers, "residual">,
  g: Tensor,
  needs: { readonly weights: readonly boolean[]; readonly biases: readonly boolean[] },
  into: { readonly weights: readonly (Tensor | undefined)[]; readonly biases: readonly (Tensor | undefined)[] },
): (Tensor | undefined)[] {
  const ofWeights = needs.weights.includes(true) ? placed(weights, into.weights) : [];
  const ofBiases = needs.biases.includes(true) ? placed(biases, into.biases) : [];
  using stack = needs.weights.includes(false) ? undefined : stackOf(ofWeights);
  using biasStack = stackOf(ofBiases);
  if (stack) parameterGradients(x, g, stack, biasStack);
  else weightsApart(x, g, ofWeights, needs.weights);
  if (ofBiases.length > 0 && !(stack && biasStack)) biasesApart(g, ofBiases, biasStack);
  return [
    ...weights.map((_, i) => (needs.weights[i] ? ofWeights[i] : undefined)),
    ...biases.map((_, i) => (needs.biases[i] ? ofBiases[i] : undefined)),
  ];
}

/** Where gradients of tensors are put: where they are to be, or side by side as these. */
function placed(tensors: readonly Tensor[], into: readonly (Tensor | undefined)[]): readonly Tensor[] {
  const own = into.includes(undefined) ? emptyAlike(tensors) : [];
  return tensors.map((_, i) => into[i] ?? at(own, i));
}

function weightsApart(x: Tensor, g: Tensor, gradients: readonly Tensor[], needs: readonly boolean[]): void {
  const [k, n] = matrixShape(x);
  const [, stride] = matrixShape(g);
  let column = 0;
  for (const [i, out] of gradients.entries()) {
    const m = rowsOf(out);
    if (needs[i]) matmulInto(x.device, { layout: "tn", a: g, b: x, out, m, n, k, aColumns: { column, stride } });
    column += m;
  }
}

function biasesApart(g: Tensor, gradients: readonly Tensor[], stack: Tensor | undefined): void {
  const sums = columnSums(g, stack);
  if (stack) return;
  let start = 0;
  for (const gradient of gradients) {
    g.device.copyBytes(sums, start, gradient, 0, gradient.bytes);
    start += gradient.bytes;
  }
  sums.dispose();
}

function sideBySideCase(
  rows: number,
  width: number,
  outputs: readonly number[],
  more: { dtype?: "f32" | "bf16"; biased?: boolean; added?: boolean; full?: boolean },
): OpCase<Params> {
  const { dtype = "f32", biased = false, added = false, full = false } = more;
  const biases = biased ? outputs.map((out) => ({ shape: [out] })) : [];
  const residual = added ? [{ shape: [rows, outputs.reduce((sum, out) => sum + out, 0)] }] : [];
  return {
    name: `${dtype} ${rows} x ${width} -> ${outputs.join(", ")}${biased ? ", biases" : ""}${added ? ", residual" : ""}`,
    inputs: [
      { shape: [rows, width] },
      ...outputs.map((out) => ({ shape: [out, width], dtype })),
      ...biases,
      ...residual,
    ],
    params: { weights: outputs.length, biases: biases.length },
    full,
  };
}
