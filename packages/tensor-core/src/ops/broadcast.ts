// Broadcasting: operands of up to four dimensions, aligned at the last one; a dimension of 1 stretches. One kernel serves all shapes.
import type { DType } from "../dtype.ts";
import { defineKernel, type Kernel, type StorageElement } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { shapeError } from "./define.ts";
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

/** `x` (f32) stretched to `shape`. */
export function stretch(x: Tensor, shape: readonly number[]): Tensor {
  const out = x.device.empty(shape);
  stretchInto(out, x);
  return out;
}

const stretchKernel = broadcastKernel("broadcast_to", { operands: { a: "f32" }, out: "f32", expression: "a" });

/** Fills `out` (f32) with `x` stretched to its shape. */
export function stretchInto(out: Tensor, x: Tensor): void {
  if (out.size > 0) dispatchBroadcast(stretchKernel, [x], out);
}

export type BroadcastKernel = (wide: boolean) => Kernel;

export interface BroadcastSpec {
  readonly operands: Readonly<Record<string, BroadcastDType>>;
  readonly out: BroadcastDType;
  /** WGSL in the operands' names. Types: `F`, `U`, `I` are f32, u32, i32 scalars or vec4s, whichever the shapes allow. */
  readonly expression: string;
}

/** Records the kernel with broadcasting to the shape of `out`. */
export function dispatchBroadcast(kernel: BroadcastKernel, reads: readonly Tensor[], out: Tensor): void {
  const { dimensions, strides } = planOf(
    out.shape,
    reads.map((t) => t.shape),
  );
  const inner = dimensions[3]!;
  const wide = inner === out.size || inner % 4 === 0;
  const columns = wide ? Math.ceil(inner / 4) : inner;
  const items = dimensions[0]! * dimensions[1]! * dimensions[2]! * columns;
  out.device.dispatch(kernel(wide), {
    reads,
    writes: [out],
    uniforms: [items, dimensions[1]!, dimensions[2]!, columns, ...strides.flat()],
    groups: grid(out.device, items),
  });
}

interface Plan {
  readonly dimensions: readonly number[];
  /** Element strides of each operand, 0 where it stretches; that of the last dimension is 0 or 1. */
  readonly strides: readonly (readonly number[])[];
}

/** Merges neighboring dimensions that every operand walks alike: equal shapes become one long row. */
function planOf(shape: readonly number[], operands: readonly (readonly number[])[]): Plan {
  const dimensions: number[] = [];
  const strides: number[][] = operands.map(() => []);
  shape.forEach((length, axis) => {
    if (length === 1) return;
    const steps = operands.map((operand) => strideOf(operand, axis - shape.length));
    const last = dimensions.length - 1;
    if (last >= 0 && strides.every((s, k) => s[last] === steps[k]! * length)) {
      dimensions[last] = dimensions[last]! * length;
      strides.forEach((s, k) => {
        s[last] = steps[k]!;
      });
    } else {
      dimensions.push(length);
      strides.forEach((s, k) => {
        s.push(steps[k]!);
      });
    }
  });
  const padded = (values: number[], filler: number) => [...Array(MAX_RANK - values.length).fill(filler), ...values];
  return { dimensions: padded(dimensions, 1), strides: strides.map((s) => padded(s, 0)) };
}

/** Elements between neighbors of a contiguous array along an axis that is counted from the end (-1: the last). */
function strideOf(shape: readonly number[], axisFromEnd: number): number {
  if ((shape.at(axisFromEnd) ?? 1) === 1 || -axisFromEnd > shape.length) return 0;
  return axisFromEnd === -1 ? 1 : shape.slice(axisFromEnd + 1).reduce((product, length) => product * length, 1);
}

/** The kernel `out = expression(operands)` with broadcasting, by whether rows are read by fours. */
export function broadcastKernel(name: string, spec: BroadcastSpec): BroadcastKernel {
  return defineKernel((wide: boolean) => {
    const names = Object.keys(spec.operands);
    const uniforms = names.flatMap((n) => [0, 1, 2, 3].map((axis) => [`${n}${axis}`, "u32" as const] as const));
    return {
      name: `${name}${wide ? "/vec4" : ""}`,
      reads: Object.fromEntries(names.map((n) => [`${n}_data`, elementOf(spec.operands[n]!, wide)])),
      writes: { out: elementOf(spec.out, wide) },
      uniforms: { items: "u32", d1: "u32", d2: "u32", d3: "u32", ...Object.fromEntries(uniforms) },
      code: `alias F = ${wide ? "vec4f" : "f32"}; alias U = ${wide ? "vec4u" : "u32"}; alias I = ${wide ? "vec4i" : "i32"};
${names.map((n) => loadWgsl(n, spec.operands[n]!, wide)).join("\n")}${perItemHead}
  if (i >= P.items) { return; }
  var at = vec4u(0u, 0u, 0u, i);
  if (P.d3 < P.items) { // more than one row
    let row = i / P.d3;
    at.w = i - row * P.d3;
    at.z = row;
    if (P.d2 * P.d3 < P.items) { // more than one plane; divisions are dear, so few of them
      let plane = row / P.d2;
      at.z = row - plane * P.d2;
      at.x = plane / P.d1;
      at.y = plane - at.x * P.d1;
    }
  }
${names.map((n) => `  let ${n} = load_${n}(at);`).join("\n")}
  out[i] = ${spec.expression};
}`,
    };
  });
}

function loadWgsl(name: string, dtype: BroadcastDType, wide: boolean): string {
  const type = { f32: "F", u32: "U", i32: "I" }[dtype];
  const outer = `let outer = at.x * P.${name}0 + at.y * P.${name}1 + at.z * P.${name}2;`;
  if (!wide) {
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

/** Calls `visit` with the flat index of every element of the common shape, and of each operand's element there. For references. */
export function eachBroadcast(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (at: number, ...indices: number[]) => void,
): void {
  const strides = operands.map((operand) => shape.map((_, axis) => strideOf(operand, axis - shape.length)));
  const size = shape.reduce((product, length) => product * length, 1);
  for (let at = 0; at < size; at++) {
    const indices = operands.map(() => 0);
    let rest = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const position = rest % shape[axis]!;
      rest = (rest - position) / shape[axis]!;
      strides.forEach((s, k) => {
        indices[k]! += position * s[axis]!;
      });
    }
    visit(at, ...indices);
  }
}
