// Bicubic resampling of 8-bit RGB as Pillow does it, to the bit: kernel a = -0.5 widened when shrinking, weights in 22-bit fixed point,
// rows first, each pass rounded and clamped to 8 bits (docs/qwen2.5-vl.md "Resample exactness").
import type { ImageSize } from "./smart-resize.ts";

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);
const CHANNELS = 3;

function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

interface Taps {
  /** First source index of each output. */
  readonly starts: Int32Array;
  /** How many sources each output draws on. */
  readonly counts: Int32Array;
  /** Fixed-point weights, `stride` per output. */
  readonly weights: Int32Array;
  readonly stride: number;
}

function resampleTaps(from: number, to: number): Taps {
  const scale = from / to;
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(from, Math.trunc(center + support + 0.5)) - start;
    let total = 0;
    for (let k = 0; k < count; k++) {
      exact[k] = cubic((k + start - center + 0.5) * (1 / filterScale));
      total += exact[k] ?? 0;
    }
    for (let k = 0; k < count; k++) {
      const share = exact[k] ?? 0;
      const weight = total === 0 ? share : share * (1 / total);
      weights[i * stride + k] = Math.trunc(weight * (1 << PRECISION_BITS) + (weight < 0 ? -0.5 : 0.5));
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, stride };
}

function resampleRows(source: Uint8Array, from: ImageSize, width: number): Uint8Array {
  const { starts, counts, weights, stride } = resampleTaps(from.width, width);
  const target = new Uint8ClampedArray(width * from.height * CHANNELS);
  let out = 0;
  for (let y = 0; y < from.height; y++) {
    const row = y * from.width * CHANNELS;
    for (const [x, start] of starts.entries()) {
      let at = row + start * CHANNELS;
      const first = x * stride;
      const last = first + (counts[x] ?? 0);
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let k = first; k < last; k++) {
        const weight = weights[k] ?? 0;
        red = (red + (source[at] ?? 0) * weight) | 0;
        green = (green + (source[at + 1] ?? 0) * weight) | 0;
        blue = (blue + (source[at + 2] ?? 0) * weight) | 0;
        at += CHANNELS;
      }
      target[out] = red >> PRECISION_BITS;
      target[out + 1] = green >> PRECISION_BITS;
      target[out + 2] = blue >> PRECISION_BITS;
      out += CHANNELS;
    }
  }
  return new Uint8Array(target.buffer);
}

function resampleColumns(source: Uint8Array, from: ImageSize, height: number): Uint8Array {
  const { starts, counts, weights, stride } = resampleTaps(from.height, height);
  const rowLength = from.width * CHANNELS;
  const target = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (const [y, start] of starts.entries()) {
    sums.fill(HALF);
    for (let k = 0; k < (counts[y] ?? 0); k++) {
      const weight = weights[y * stride + k] ?? 0;
      const row = (start + k) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i] = (sums[i] ?? 0) + (source[row + i] ?? 0) * weight;
    }
    const out = y * rowLength;
    for (let i = 0; i < rowLength; i++) target[out + i] = (sums[i] ?? 0) >> PRECISION_BITS;
  }
  return new Uint8Array(target.buffer);
}

/**
 * Scales interleaved 8-bit RGB.
 * @returns `size.width * size.height * 3` bytes; `source` itself where the size is unchanged.
 */
export function resizeBicubic(source: Uint8Array, from: ImageSize, size: ImageSize): Uint8Array {
  const wide = from.width === size.width ? source : resampleRows(source, from, size.width);
  if (from.height === size.height) return wide;
  return resampleColumns(wide, { width: size.width, height: from.height }, size.height);
}
