// Kernels of the divergence of two heads: partial sums by blocks of ids, in the canonical order of the softmax, and the gradient by the
// logits. `log_ratio` is of the first head to the other; a term whose probability is below exp(-87) counts as 0.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { nonFiniteScalarWgsl, notANumberWgsl } from "../non-finite-wgsl.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { bannedWgsl } from "./banned.ts";
import type { LogitSlice } from "./block-states.ts";
import type { DivergenceDirection } from "./params.ts";
import { VOCABULARY_BLOCK } from "./softmax-state.ts";

const probabilityWgsl = /* wgsl */ `
fn probability(log_p: f32) -> f32 { return select(exp(max(log_p, -87.0)), 0.0, log_p < -87.0); }`;

/** Two heads' logits of the same rows and ids. */
export interface LogitPair {
  readonly own: LogitSlice;
  /** Of the other head; ids that it does not have are banned. */
  readonly other: Tensor;
}

/** Logs of the softmax denominators of both heads, [rows]. */
export interface Normalizers {
  readonly own: Tensor;
  readonly other: Tensor;
}

const blockKernel = defineKernel((direction: DivergenceDirection) => ({
  name: `head_divergence_blocks/${direction}`,
  reads: { logits: "f32", otherLogits: "f32", banned: "u32", normalizers: "f32", otherNormalizers: "f32" },
  writes: { sums: "f32" },
  uniforms: {
    items: "u32",
    blocks: "u32",
    stride: "u32",
    columns: "u32",
    firstRow: "u32",
    firstColumn: "u32",
    inverseTemperature: "f32",
  },
  code: `${bannedWgsl}${probabilityWgsl}
${perItemHead}
  if (i >= P.items) { return; }
  let row = i / P.blocks;
  let first = (i % P.blocks) * ${VOCABULARY_BLOCK}u;
  let last = min(first + ${VOCABULARY_BLOCK}u, P.columns);
  var sum = 0.0;
  for (var c = first; c < last; c++) {
    if (!is_banned(P.firstColumn + c)) {
      let log_p = fma(logits[row * P.stride + c], P.inverseTemperature, -normalizers[P.firstRow + row]);
      let log_q = fma(otherLogits[row * P.stride + c], P.inverseTemperature, -otherNormalizers[P.firstRow + row]);
      ${direction === "reverse" ? "sum = fma(probability(log_p), log_p - log_q, sum);" : "sum = fma(probability(log_q), log_q - log_p, sum);"}
    }
  }
  sums[i] = sum;
}`,
}));

const addKernel = defineKernel(() => ({
  name: "head_divergence_add",
  reads: { sums: "f32", normalizers: "f32", otherNormalizers: "f32" },
  writes: { divergence: "f32" },
  uniforms: { rows: "u32", firstRow: "u32", blocks: "u32" },
  code: `${nonFiniteScalarWgsl}${notANumberWgsl}
${perItemHead}
  if (i >= P.rows) { return; }
  let row = P.firstRow + i;
  var total = divergence[row];
  for (var block = 0u; block < P.blocks; block++) { total += sums[i * P.blocks + block]; }
  let has_none = is_nan(normalizers[row]) || is_nan(otherNormalizers[row]);
  divergence[row] = select(total, not_a_number(), has_none);
}`,
}));

/** Adds what the ids of a slice contribute to the divergence [rows] of its rows, block after block. */
export function addDivergence(
  device: Device,
  { own, other }: LogitPair,
  firstRow: number,
  banned: Tensor,
  normalizers: Normalizers,
  divergence: Tensor,
  { direction, inverseTemperature }: { readonly direction: DivergenceDirection; readonly inverseTemperature: number },
): void {
  const { logits, rows, columns, stride, firstColumn } = own;
  const blocks = Math.ceil(columns / VOCABULARY_BLOCK);
  const sums = device.empty([rows, blocks]);
  device.dispatch(blockKernel(direction), {
    reads: [logits, other, banned, normalizers.own, normalizers.other],
    writes: [sums],
    uniforms: [rows * blocks, blocks, stride, columns, firstRow, firstColumn, inverseTemperature],
    groups: grid(device, rows * blocks),
  });
  device.dispatch(addKernel(), {
    reads: [sums, normalizers.own, normalizers.other],
    writes: [divergence],
    uniforms: [rows, firstRow, blocks],
    groups: grid(device, rows),
  });
  sums.dispose();
}

const gradientKernel = defineKernel((direction: DivergenceDirection) => ({
  name: `head_divergence_backward/${direction}`,
  reads: {
    otherLogits: "f32",
    banned: "u32",
    normalizers: "f32",
    otherNormalizers: "f32",
    divergence: "f32",
    cotangents: "vec2f",
  },
  writes: { logits: "f32" },
  uniforms: {
    items: "u32",
    columns: "u32",
    stride: "u32",
    firstRow: "u32",
    firstColumn: "u32",
    inverseTemperature: "f32",
  },
  code: `${bannedWgsl}${probabilityWgsl}
${perItemHead}
  if (i >= P.items) { return; }
  let column = i % P.columns;
  let at = (i / P.columns) * P.stride + column;
  let row = P.firstRow + i / P.columns;
  if (is_banned(P.firstColumn + column)) {
    logits[at] = 0.0;
    return;
  }
  let log_p = fma(logits[at], P.inverseTemperature, -normalizers[row]);
  let log_q = fma(otherLogits[at], P.inverseTemperature, -otherNormalizers[row]);
  let p = probability(log_p);
  let slope = ${direction === "reverse" ? "p * (log_p - log_q - divergence[row])" : "p - probability(log_q)"};
  logits[at] = P.inverseTemperature * fma(cotangents[row].x, slope, cotangents[row].y * p);
}`,
}));

/**
 * Logits to their gradient, in place. `cotangents` [rows, 2]: of the divergence, and of the log of the own denominator.
 * With p and q of the two heads, d KL(p || q) / dz = p (log p - log q - KL), d KL(q || p) / dz = p - q.
 */
export function divergenceGradient(
  device: Device,
  { own, other }: LogitPair,
  firstRow: number,
  banned: Tensor,
  normalizers: Normalizers,
  { divergence, cotangents }: { readonly divergence: Tensor; readonly cotangents: Tensor },
  { direction, inverseTemperature }: { readonly direction: DivergenceDirection; readonly inverseTemperature: number },
): void {
  const { logits, rows, columns, stride, firstColumn } = own;
  device.dispatch(gradientKernel(direction), {
    reads: [other, banned, normalizers.own, normalizers.other, divergence, cotangents],
    writes: [logits],
    uniforms: [rows * columns, columns, stride, firstRow, firstColumn, inverseTemperature],
    groups: grid(device, rows * columns),
  });
}
