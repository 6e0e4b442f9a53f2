// Element-wise kernels over whole buffers: one thread per vec4, whatever the shape. Buffers are padded to 16 bytes, so a size that is
// no multiple of 4 is rounded up: what lies in the padding is never read as a value.
import { defineKernel, type Kernel, type KernelVariant, type StorageElement } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { grid, perItemHead } from "./wgsl.ts";

/** A vec4 array type of a kernel. */
export type WideElement = Extract<StorageElement, "vec4f" | "vec4u" | "vec4i" | "vec2u">;

export interface FlatKernel {
  readonly name: string;
  /** Arrays by the name under which `expression` finds this thread's vec4. */
  readonly reads: Readonly<Record<string, WideElement>>;
  readonly out: WideElement;
  readonly expression: string;
  /** f32 uniforms, found as `P.name`. */
  readonly parameters?: readonly string[];
  /** WGSL functions that `expression` calls. */
  readonly helpers?: string;
}

/** Kernels `out = expression(reads)`, element by element, in their variants. */
export function defineFlatKernel<V extends readonly KernelVariant[]>(
  build: (...variant: V) => FlatKernel,
): (...variant: V) => Kernel {
  return defineKernel((...variant: V) => {
    const { name, reads, out, expression, parameters = [], helpers = "" } = build(...variant);
    const operands = Object.entries(reads);
    return {
      name,
      reads: Object.fromEntries(operands.map(([operand, element]) => [`${operand}_data`, element])),
      writes: { out },
      uniforms: { items: "u32", ...Object.fromEntries(parameters.map((p) => [p, "f32" as const])) },
      code: `${helpers}${perItemHead}
  if (i >= P.items) { return; }
${operands.map(([operand]) => `  let ${operand} = ${operand}_data[i];`).join("\n")}
  out[i] = ${expression};
}`,
    };
  });
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
