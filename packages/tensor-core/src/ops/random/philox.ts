// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
// A pure function of (counter, key), written once for the CPU and once in WGSL; both give the same bits.

/** The key of a stream of random numbers: two 32-bit words. Derive one with `deriveSeed`. */
export type Seed = readonly [number, number];

/** Four 32-bit words: the counter, or the random bits it gives. */
export type Words4 = readonly [number, number, number, number];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** 128 random bits for a counter and a key, as four unsigned words. */
export function philox(counter: Words4, [key0, key1]: Seed): Words4 {
  let [c0, c1, c2, c3] = counter;
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** A uniform number in [0, 1) from 32 random bits: a multiple of 2^-24, exact in f32. */
export function uniformOf(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}

/** Upper half of a 64-bit product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) >>> 0;
}

/** `fn philox(counter, key) -> vec4u` and `fn uniform_of(bits) -> f32`. */
export const philoxWgsl: string = /* wgsl */ `
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let middle = a_high * b_low + ((a_low * b_low) >> 16u);
  let other = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16u) + (other >> 16u);
}
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    let high0 = multiply_high(${MULTIPLIER_0}u, c.x);
    let high1 = multiply_high(${MULTIPLIER_1}u, c.z);
    c = vec4u(high1 ^ c.y ^ k.x, ${MULTIPLIER_1}u * c.z, high0 ^ c.w ^ k.y, ${MULTIPLIER_0}u * c.x);
    k = k + vec2u(${WEYL_0}u, ${WEYL_1}u);
  }
  return c;
}
fn uniform_of(bits: u32) -> f32 {
  return f32(bits >> 8u) * ${(2 ** -24).toExponential(17)};
}`;
