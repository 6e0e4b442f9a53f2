// Seeded numbers for benchmark inputs: the same in every process.

/** Uniform numbers in [-1/2, 1/2), exact in f32, by a Weyl sequence through a 32-bit mixing function. */
export function uniform(seed: number, length: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(length);
  for (let i = 0; i < length; i++) out[i] = bits(seed, i) / 2 ** 24 - 0.5;
  return out;
}

/** `count` indices below `length`, spread by the same generator. */
export function sampleIndices(seed: number, length: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((bits(seed, i) / 2 ** 24) * length));
}

function bits(seed: number, index: number): number {
  let x = (Math.imul(seed + 1, 0x9e3779b9) + Math.imul(index + 1, 0x85ebca6b)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 8;
}

/** Rounds in place to bf16 (nearest even): values that both a bf16 and an f32 kernel can be given. */
export function roundToBf16(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    words[i] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  }
  return values;
}
