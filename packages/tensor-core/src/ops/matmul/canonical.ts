// The canonical order of a linear layer's sums, which every matmul kernel keeps, so that all of them give equal bits:
// K in blocks of 256 from k = 0; each block is one accumulator advanced by `fma` in ascending k from 0; the block sums are added in
// ascending order to the initial value (the output's former value where it accumulates, plus the bias where there is one, else 0).
// docs/decisions/0002-canonical-order.md says why, with measurements.

/** Length of a block of K. */
export const K_BLOCK = 256;

/** Bits of the uniform `P.initial`. */
export const FROM_OUT = 1;
export const FROM_BIAS = 2;
/** A residual is added to the whole sum. */
export const PLUS_RESIDUAL = 4;

/** `start(at, column)`: the initial value of the output element at `at`, in column `column`. */
export const startWgsl = /* wgsl */ `
fn start(at: u32, column: u32) -> f32 {
  var value = 0.0;
  if ((P.initial & ${FROM_OUT}u) != 0u) { value = out[at]; }
  if ((P.initial & ${FROM_BIAS}u) != 0u) { value += bias[P.biasStart + column]; }
  return value;
}`;

/** `weight(at)`: element `at` of b, which is f32 or bf16 pairs (the even element in the low half). */
export const weightWgsl = (bf16: boolean): string => /* wgsl */ `
fn weight(at: u32) -> f32 {
  ${bf16 ? "let word = b[at >> 1u]; return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (at & 1u) == 1u));" : "return b[at];"}
}`;

/** 0 to size - 1: for text with one piece per register. */
export const range = (size: number): number[] => Array.from({ length: size }, (_, i) => i);
