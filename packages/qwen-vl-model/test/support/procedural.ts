// Weights that are a formula of tensor name and index, so that a model of any size can be made anywhere, bit for bit. See the fixture
// `model-fullwidth`, whose oracle used the same formula.
import { type Device, fromBf16 } from "@iapo/tensor-core";
import { tensorTable } from "../../src/config/tensor-table.ts";
import type { QwenVLConfig } from "../../src/config/types.ts";
import { writeValues } from "../../src/weights/load.ts";
import { type RunDType, Weights } from "../../src/weights/weights.ts";

const SALT = "fw-dev|";
/** Elements made at once: 16 MiB of bf16. */
export const PIECE = 2 ** 23;

/** Values are uniform in ±2^log2scale around `offset`. */
interface Range {
  readonly log2scale: number;
  readonly offset: number;
}

/** bf16 patterns of elements `start` to `start + count` of a tensor. */
export function proceduralBf16(
  name: string,
  { log2scale, offset }: Range,
  start: number,
  count: number,
): Uint16Array<ArrayBuffer> {
  const seed = fnv1a(SALT + name);
  const scale = 2 ** log2scale;
  const out = new Uint16Array(count);
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  for (let i = 0; i < count; i++) {
    let x = Math.imul(start + i, 0x9e3779b1) ^ seed;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    value[0] = ((x >>> 8) * 2 ** -23 - 1) * scale + offset;
    const b = bits[0]!;
    out[i] = (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** The range of a weight, by kind and fan-in, such that activations stay of the order of one. */
export function rangeOf(name: string, shape: readonly number[]): Range {
  if (shape.length === 1) return name.endsWith(".bias") ? { log2scale: -3, offset: 0 } : { log2scale: -2, offset: 1 };
  if (name === "model.embed_tokens.weight" || name === "lm_head.weight") return { log2scale: -3, offset: 0 };
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  return { log2scale: fanIn < 2048 ? -4 : fanIn < 8192 ? -5 : -6, offset: 0 };
}

/** For narrow models: no bias, norm or position is invisible, and activations stay of the order of one. */
export function smallRangeOf(name: string, shape: readonly number[]): Range {
  if (shape.length === 1) return { log2scale: -2, offset: name.endsWith(".bias") ? 0 : 1 };
  if (/^(model\.embed_tokens|lm_head|visual\.pos_embed)\.weight$/.test(name)) return { log2scale: 0, offset: 0 };
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  return { log2scale: Math.floor(0.5 - Math.log2(fanIn) / 2) + 1, offset: 0 };
}

export interface ProceduralOptions {
  readonly dtype?: RunDType;
  readonly ranges?: typeof rangeOf;
  readonly trainable?: (name: string) => boolean;
}

/** Makes all weights of `config` on the device, bf16 values, piece by piece. */
export async function proceduralWeights(
  device: Device,
  config: QwenVLConfig,
  { dtype = "bf16", ranges = rangeOf, trainable }: ProceduralOptions = {},
): Promise<Weights> {
  const weights = Weights.allocate(device, config, dtype, trainable);
  for (const { name, shape } of tensorTable(config)) {
    const { run, master } = weights.weight(name);
    for (let start = 0; start < run.size; start += PIECE) {
      const values = proceduralBf16(name, ranges(name, shape), start, Math.min(PIECE, run.size - start));
      writeValues(run, values, start, "bf16");
      if (master && master !== run) writeValues(master, values, start, "f32");
      await device.idle();
    }
  }
  return weights;
}

/** Patches of images, `count` values in ±2. */
export function proceduralPixels(count: number, name = "input.pixel_values"): Float32Array<ArrayBuffer> {
  return new Float32Array(fromBf16(proceduralBf16(name, { log2scale: 1, offset: 0 }, 0, count)));
}

function fnv1a(text: string): number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return hash;
}
