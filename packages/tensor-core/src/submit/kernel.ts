// A kernel: its WGSL body and the bindings that stand before it. The header is generated, so bindings and code can't disagree.

/** WGSL element type of a storage array. */
export type StorageElement = "f32" | "vec2f" | "vec4f" | "u32" | "vec2u" | "vec4u" | "i32" | "vec4i";
export type UniformType = "u32" | "i32" | "f32";

export interface KernelSpec {
  /** A label for errors, profiles and progress. Names may repeat: a pipeline belongs to the kernel's text. */
  readonly name: string;
  /** Storage arrays that are read, by WGSL variable name, in binding order. */
  readonly reads: Readonly<Record<string, StorageElement>>;
  /** Storage arrays that are written (and may be read), after `reads` in binding order. */
  readonly writes: Readonly<Record<string, StorageElement>>;
  /** Scalars in the uniform `P`, in order. Sizes go here and never into the code: one pipeline serves all shapes. */
  readonly uniforms: Readonly<Record<string, UniformType>>;
  readonly subgroups?: boolean;
  /** Other WGSL extensions that the code enables. */
  readonly extensions?: readonly string[];
  /** WGSL text with `@compute ... fn main`. */
  readonly code: string;
}

export interface Kernel extends KernelSpec {
  /** The whole program: header and code. */
  readonly wgsl: string;
}

/** What selects a variant of a kernel: an element type, a tile size, whether rows are read by fours. */
export type KernelVariant = string | number | boolean;

/**
 * A kernel in its variants: `kernel(...variant)` gives the one that `build(...variant)` describes, built on its first use. Every choice that
 * shapes the text is an argument of `build`.
 */
export function defineKernel<V extends readonly KernelVariant[]>(
  build: (...variant: V) => KernelSpec,
): (...variant: V) => Kernel {
  const built = new Map<string, Kernel>();
  return (...variant) => {
    const key = variant.join("/");
    let kernel = built.get(key);
    if (!kernel) {
      const spec = build(...variant);
      kernel = { ...spec, wgsl: assemble(spec) };
      built.set(key, kernel);
    }
    return kernel;
  };
}

/** Bytes of one dispatch's uniforms at most; offsets must be multiples of 256 on every adapter. */
export const UNIFORM_SLOT = 256;

function assemble(spec: KernelSpec): string {
  const lines: string[] = [];
  if (spec.subgroups) lines.push("enable subgroups;");
  for (const extension of spec.extensions ?? []) lines.push(`enable ${extension};`);
  const fields = Object.entries(spec.uniforms);
  if (fields.length * 4 > UNIFORM_SLOT) throw new Error("too many uniforms for one slot");
  const members = fields.length > 0 ? fields : [["unused", "u32"]];
  lines.push(`struct Uniforms { ${members.map(([name, type]) => `${name}: ${type}`).join(", ")} };`);
  let binding = 0;
  for (const [name, element] of Object.entries(spec.reads)) {
    lines.push(`@group(0) @binding(${binding++}) var<storage, read> ${name}: array<${element}>;`);
  }
  for (const [name, element] of Object.entries(spec.writes)) {
    lines.push(`@group(0) @binding(${binding++}) var<storage, read_write> ${name}: array<${element}>;`);
  }
  lines.push(`@group(0) @binding(${binding}) var<uniform> P: Uniforms;`);
  lines.push(spec.code);
  return lines.join("\n");
}
