// Broadcasting: operands of up to four dimensions, aligned at the last one; a dimension of 1 is repeated. One kernel serves all shapes.
import { at } from "../checked.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../error.ts";
import {
  defineKernel,
  type Kernel,
  type KernelSpec,
  type KernelVariant,
  type StorageElement,
} from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { type ReferenceArray, shapeError } from "./define.ts";
import { nonFiniteWgsl } from "./non-finite-wgsl.ts";
import { grid, perItemHead } from "./wgsl.ts";

const MAX_RANK = 4;

/** Element types that broadcast. */
export type BroadcastDType = Exclude<DType, "bf16">;

/** The common shape. Throws `shape` in the name of `op` where there is none. */
export function broadcastShape(op: string, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  if (rank > MAX_RANK) shapeError(op, `broadcasts up to ${MAX_RANK} dimensions, not ${rank}`);
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const length = lengths.find((n) => n !== 1) ?? 1;
    if (lengths.some((n) => n !== 1 && n !== length)) {
      shapeError(op, `shapes ${shapes.map((s) => `[${s.join(", ")}]`).join(" and ")} do not broadcast`);
    }
    return length;
  });
}

/** `x` (f32) broadcast to `shape`. */
export function broadcastCopy(x: Tensor, shape: readonly number[]): Tensor {
  const out = x.device.empty(shape);
  broadcastInto(out, x);
  return out;
}

const expandKernel = defineBroadcastKernel(() => ({
  name: "broadcast_to",
  operands: { a: "f32" },
  out: "f32",
  expression: "a",
}));

/** Fills `out` (f32) with `x` broadcast to its shape. */
export function broadcastInto(out: Tensor, x: Tensor): void {
  if (out.size > 0) dispatchBroadcast(expandKernel(), [x], out);
}

/** How threads find their elements: four at the same place of every array, four of a row, or one. */
type Layout = "flat" | "rows" | "elements";

/** A kernel of a broadcasting op, by its layout. */
export type BroadcastKernel = (layout: Layout) => Kernel;

export interface BroadcastSpec {
  readonly name: string;
  readonly operands: Readonly<Record<string, BroadcastDType>>;
  /** Those operands that are uniforms in place of arrays. */
  readonly numbers?: readonly string[];
  readonly out: BroadcastDType;
  /** WGSL in the operands' names, and the functions of `nonFiniteWgsl`. Types: `F`, `U`, `I` are f32, u32, i32 scalars or vec4s, whichever the shapes allow. */
  readonly expression: string;
}

/** Kernels `out = expression(operands)` with broadcasting, in their variants. */
export function defineBroadcastKernel<V extends readonly KernelVariant[]>(
  build: (...variant: V) => BroadcastSpec,
): (...variant: V) => BroadcastKernel {
  const kernel = defineKernel((layout: Layout, ...variant: V) => assemble(build(...variant), layout));
  return (...variant) =>
    (layout) =>
      kernel(layout, ...variant);
}

/** Records the kernel with broadcasting to the shape of `out`; `numbers` are the operands that are none of the tensors, in order. */
export function dispatchBroadcast(
  kernel: BroadcastKernel,
  reads: readonly Tensor[],
  out: Tensor,
  numbers: readonly number[] = [],
): void {
  const { dimensions, strides } = planOf(
    out.shape,
    reads.map((t) => t.shape),
  );
  const [first, second, third, inner] = dimensions;
  const layout = reads.every((t) => t.size === out.size)
    ? "flat"
    : inner % 4 === 0 || inner === out.size
      ? "rows"
      : "elements";
  const columns = layout === "elements" ? inner : Math.ceil(inner / 4);
  const items = first * second * third * columns;
  out.device.dispatch(kernel(layout), {
    reads,
    writes: [out],
    uniforms: [items, second, third, columns, ...strides.flat(), ...numbers],
    groups: grid(out.device, items),
  });
}

type Dimensions = readonly [number, number, number, number];

interface Plan {
  readonly dimensions: Dimensions;
  /** Element strides of each operand, 0 where it is repeated; that of the last dimension is 0 or 1. */
  readonly strides: readonly Dimensions[];
}

/** Merges neighboring dimensions that every operand walks alike: equal shapes become one long row. */
function planOf(shape: readonly number[], operands: readonly (readonly number[])[]): Plan {
  const merged: { length: number; steps: number[] }[] = [];
  shape.forEach((length, axis) => {
    if (length === 1) return;
    const steps = operands.map((operand) => strideOf(operand, axis - shape.length));
    const outer = merged.at(-1);
    if (outer && steps.every((step, k) => outer.steps[k] === step * length)) {
      outer.length *= length;
      outer.steps = steps;
    } else {
      merged.push({ length, steps });
    }
  });
  return {
    dimensions: padded(
      merged.map(({ length }) => length),
      1,
    ),
    strides: operands.map((_, k) =>
      padded(
        merged.map(({ steps }) => at(steps, k)),
        0,
      ),
    ),
  };
}

/** At most four values after as many fillers as make four. */
function padded(values: readonly number[], filler: number): Dimensions {
  const [fourth = filler, third = filler, second = filler, first = filler] = values.toReversed();
  return [first, second, third, fourth];
}

/** Elements between neighbors of a contiguous array along an axis that is counted from the end (-1: the last). */
function strideOf(shape: readonly number[], axisFromEnd: number): number {
  if ((shape.at(axisFromEnd) ?? 1) === 1 || -axisFromEnd > shape.length) return 0;
  return axisFromEnd === -1 ? 1 : shape.slice(axisFromEnd + 1).reduce((product, length) => product * length, 1);
}

const ALIAS: Readonly<Record<BroadcastDType, string>> = { f32: "F", u32: "U", i32: "I" };

function assemble({ name, operands: types, numbers = [], out, expression }: BroadcastSpec, layout: Layout): KernelSpec {
  const wide = layout !== "elements";
  const operands = Object.entries(types);
  const arrays = operands.filter(([n]) => !numbers.includes(n));
  const strides = arrays.flatMap(([n]) => [0, 1, 2, 3].map((axis) => [`${n}${axis}`, "u32" as const] as const));
  const values = operands.filter(([n]) => numbers.includes(n)).map(([n, dtype]) => [`${n}_value`, dtype] as const);
  return {
    name: `${name}/${layout}`,
    reads: Object.fromEntries(arrays.map(([n, dtype]) => [`${n}_data`, elementOf(dtype, wide)])),
    writes: { out: elementOf(out, wide) },
    uniforms: { items: "u32", d1: "u32", d2: "u32", d3: "u32", ...Object.fromEntries([...strides, ...values]) },
    code: `alias F = ${wide ? "vec4f" : "f32"}; alias U = ${wide ? "vec4u" : "u32"}; alias I = ${wide ? "vec4i" : "i32"};${nonFiniteWgsl({ float: wide ? "vec4f" : "f32", bits: wide ? "vec4u" : "u32" })}
${arrays.map(([n, dtype]) => loadWgsl(n, dtype, layout)).join("\n")}${perItemHead}
  if (i >= P.items) { return; }
${layout === "flat" ? "  let at = vec4u(0u, 0u, 0u, i);" : placeWgsl}
${operands.map(([n, dtype]) => `  let ${n} = ${numbers.includes(n) ? `${ALIAS[dtype]}(P.${n}_value)` : `load_${n}(at)`};`).join("\n")}
  out[i] = ${expression};
}`,
  };
}

/** `at`: the thread's place in the four dimensions, the last in vec4s where rows are read by fours. */
const placeWgsl = `  var at = vec4u(0u, 0u, 0u, i);
  if (P.d3 < P.items) { // more than one row
    let row = i / P.d3;
    at.w = i - row * P.d3;
    at.z = row;
    if (P.d2 * P.d3 < P.items) { // more than one plane; divisions are slow, so few of them
      let plane = row / P.d2;
      at.z = row - plane * P.d2;
      at.x = plane / P.d1;
      at.y = plane - at.x * P.d1;
    }
  }`;

function loadWgsl(name: string, dtype: BroadcastDType, layout: Layout): string {
  const type = ALIAS[dtype];
  const outer = `let outer = at.x * P.${name}0 + at.y * P.${name}1 + at.z * P.${name}2;`;
  if (layout === "flat") return `fn load_${name}(at: vec4u) -> ${type} { return ${name}_data[at.w]; }`;
  if (layout === "elements") {
    return `fn load_${name}(at: vec4u) -> ${type} { ${outer} return ${name}_data[outer + at.w * P.${name}3]; }`;
  }
  return `fn load_${name}(at: vec4u) -> ${type} {
  ${outer}
  if (P.${name}3 == 1u) { return ${name}_data[(outer >> 2u) + at.w]; }
  return ${type}(${name}_data[outer >> 2u][outer & 3u]);
}`;
}

function elementOf(dtype: BroadcastDType, wide: boolean): StorageElement {
  return wide ? ({ f32: "vec4f", u32: "vec4u", i32: "vec4i" } as const)[dtype] : dtype;
}

/** Throws `argument` in the name of `op` for a number that a tensor of `dtype` can't hold. */
export function expectNumber(op: string, value: number, dtype: DType): void {
  const [low, high] = dtype === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (dtype === "f32" || (Number.isInteger(value) && value >= low && value <= high)) return;
  throw new TensorError("argument", `${op}: ${value} is not a number of a ${dtype} tensor`);
}

/** The tensor's element type. Throws `dtype` in the name of `op` for bf16. */
export function broadcastDType(op: string, { dtype }: Tensor): BroadcastDType {
  if (dtype === "bf16") throw new TensorError("dtype", `${op} does not take bf16: cast it`);
  return dtype;
}

/** Reads `operand` as if it were broadcast to `shape`, by flat index. For references. */
export function broadcastReader(operand: ReferenceArray, shape: readonly number[]): (index: number) => number {
  return (index) => at(operand.data, indexIn(operand.shape, shape, index));
}

/** The flat index in an operand of `shape` of what stands at flat index `index` of the common shape. */
function indexIn(shape: readonly number[], common: readonly number[], index: number): number {
  let rest = index;
  let result = 0;
  for (let axis = -1; axis >= -common.length; axis--) {
    const length = common.at(axis) ?? 1;
    result += (rest % length) * strideOf(shape, axis);
    rest = Math.floor(rest / length);
  }
  return result;
}
