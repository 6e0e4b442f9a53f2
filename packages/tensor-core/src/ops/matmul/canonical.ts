// The canonical order of a linear layer's sums, which every matmul kernel keeps, so that all of them give equal bits:
// K in blocks of 256 from k = 0; each block is one accumulator advanced by `fma` in ascending k from 0; the block sums are added in
// ascending order to the initial value (the output's former value where it accumulates, plus the bias where there is one, else 0).

/** Length of a block of K. */
export const K_BLOCK = 256;

/** Bits of the uniform `P.initial`. */
export const FROM_OUT = 1;
export const FROM_BIAS = 2;

/** Uniforms that every kernel has: sizes, row strides in elements, and where the total starts. */
export const problemUniforms = {
  m: "u32",
  n: "u32",
  k: "u32",
  aStride: "u32",
  aColumn: "u32",
  outStride: "u32",
  outColumn: "u32",
  biasStart: "u32",
  initial: "u32",
} as const;

/** 0 to size - 1: for text with one piece per register. */
export const range = (size: number): number[] => Array.from({ length: size }, (_, i) => i);
