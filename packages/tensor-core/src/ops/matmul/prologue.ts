// What few rows go through on their way into a product: each workgroup does it again, which takes less than a pass of its own.
import type { StorageElement, UniformType } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { scaleWgsl } from "../rms-norm.ts";
import { BLOCK, LANES } from "../row-kernel.ts";

/** `rmsNorm`, by a weight f32 `[k]`. */
export interface Prologue {
  readonly kind: "norm";
  readonly weight: Tensor;
  readonly epsilon: number;
}

export type PrologueKind = Prologue["kind"] | "";

/** A kernel's part of a prologue, in workgroups of 2 * LANES threads. */
export interface PrologueText {
  readonly reads: Readonly<Record<string, StorageElement>>;
  readonly uniforms: Readonly<Record<string, UniformType>>;
  readonly code: string;
  /** Runs once, with `aBase`, `firstRow` and `thread`. */
  readonly before: string;
  /** WGSL of a vector of `width` rows' elements at `k`, from those that are stored; `row(c)` is the number of the c-th row in the workgroup. */
  value(width: number, stored: string, row: (c: number) => string): string;
}

const vectorOf = (width: number): string => (width === 1 ? "f32" : `vec${width}f`);

const none: PrologueText = { reads: {}, uniforms: {}, code: "", before: "", value: (_, stored) => stored };

/** The sum of squares as `rmsNorm` takes it: a row is LANES lanes', two rows at a time. */
const norm = (rows: number): PrologueText => ({
  reads: { norm_weight: "f32" },
  uniforms: { epsilon: "f32" },
  code: /* wgsl */ `
var<workgroup> parts: array<f32, ${2 * LANES}>;
var<workgroup> scales: array<f32, ${Math.max(2, rows)}>;
fn scale_rows(aBase: u32, firstRow: u32, thread: u32) {
  let lane = thread % ${LANES}u;
  for (var pair = 0u; pair < ${rows}u; pair += 2u) {
    let own = pair + thread / ${LANES}u;
    let base = aBase + min(firstRow + own, P.m - 1u) * P.aStride;
    var total = vec4f();
    for (var block = 0u; block < P.k / 4u; block += ${BLOCK * LANES}u) {
      let end = min(block + ${BLOCK * LANES}u, P.k / 4u);
      var sum = vec4f();
      for (var i = block + lane; i < end; i += ${LANES}u) {
        let at = base + 4u * i;
        let v = vec4f(a[at], a[at + 1u], a[at + 2u], a[at + 3u]);
        sum = fma(v, v, sum);
      }
      total = total + sum;
    }
    parts[thread] = (total.x + total.y) + (total.z + total.w);
    workgroupBarrier();
    if (lane == 0u) {
      var squares = 0.0;
      for (var i = 0u; i < ${LANES}u; i++) { squares = squares + parts[thread + i]; }
      ${scaleWgsl("squares", "f32(P.k)")}
      scales[own] = r;
    }
    workgroupBarrier();
  }
}`,
  before: "scale_rows(aBase, firstRow, thread);",
  value(width, stored, row) {
    const each = Array.from({ length: width }, (_, c) => `scales[${row(c)}]`).join(", ");
    return `(${stored} * ${vectorOf(width)}(${each}) * norm_weight[min(k, P.k - 1u)])`;
  },
});

export function prologueText(kind: PrologueKind, rows: number): PrologueText {
  return kind === "norm" ? norm(rows) : none;
}

/** Tensors and values of a text's bindings and uniforms. */
export function prologueCall(prologue: Prologue | undefined): { reads: Tensor[]; uniforms: number[] } {
  if (!prologue) return { reads: [], uniforms: [] };
  return { reads: [prologue.weight], uniforms: [prologue.epsilon] };
}
