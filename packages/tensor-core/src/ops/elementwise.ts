// Element-wise kernels over whole buffers: one thread per vec4, whatever the shape. Buffers are padded to 16 bytes, so a size that is
// no multiple of 4 is rounded up: what lies in the padding is never read as a value.
import { defineKernel, type Kernel, type StorageElement } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** A vec4 array type of a kernel. */
export type WideElement = Extract<StorageElement, "vec4f" | "vec4u" | "vec4i" | "vec2u">;

export interface FlatKernel {
  /** Arrays by the name under which `expression` finds this thread's vec4. */
  readonly reads: Readonly<Record<string, WideElement>>;
  readonly out: WideElement;
  readonly expression: string;
  /** f32 uniforms, found as `P.name`. */
  readonly parameters?: readonly string[];
  /** WGSL functions that `expression` calls. */
  readonly helpers?: string;
}

/** The kernel `out = expression(reads)`, element by element. */
export function flatKernel(name: string, spec: FlatKernel): Kernel {
  return defineKernel(name, () => ({
    reads: Object.fromEntries(Object.entries(spec.reads).map(([operand, element]) => [`${operand}_data`, element])),
    writes: { out: spec.out },
    uniforms: { items: "u32", ...Object.fromEntries((spec.parameters ?? []).map((p) => [p, "f32" as const])) },
    code: `${spec.helpers ?? ""}${perItemHead}
  if (i >= P.items) { return; }
${Object.keys(spec.reads)
  .map((operand) => `  let ${operand} = ${operand}_data[i];`)
  .join("\n")}
  out[i] = ${spec.expression};
}`,
  }));
}

/** Records `kernel` over all elements of `out`. */
export function dispatchFlat(
  kernel: Kernel,
  reads: readonly Tensor[],
  out: Tensor,
  parameters: readonly number[] = [],
): void {
  const items = Math.ceil(out.size / 4);
  out.device.dispatch(kernel, {
    reads,
    writes: [out],
    uniforms: [items, ...parameters],
    groups: grid(out.device, items),
  });
}
