// Random tensors: element i is word i % 4 of Philox's block i / 4. Not ops of the registry: they have no inputs.
import type { Device } from "../../device/device.ts";
import { sizeOf } from "../../dtype.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { philox, philoxWgsl, type Seed } from "./philox.ts";

type Distribution = "bits" | "uniform" | "normal";

const expression: Readonly<Record<Distribution, string>> = {
  bits: "bits",
  uniform: "uniforms(bits)",
  normal: "normals(uniforms(bits))",
};

// A thread writes one block of four. The last may write past the tensor's end, into the padding that every buffer has.
const kernel = defineKernel((distribution: Distribution) => ({
  name: `random/${distribution}`,
  reads: {},
  writes: { out: distribution === "bits" ? "vec4u" : "vec4f" },
  uniforms: { blocks: "u32", key0: "u32", key1: "u32" },
  code: `${philoxWgsl}
fn uniforms(bits: vec4u) -> vec4f {
  return vec4f(uniform_of(bits.x), uniform_of(bits.y), uniform_of(bits.z), uniform_of(bits.w));
}
// Box and Muller: two normals from two uniforms. 1 - u is in (0, 1], so the logarithm is finite.
fn normals(u: vec4f) -> vec4f {
  let radius = sqrt(-2.0 * log(vec2f(1.0) - u.xz));
  let angle = ${2 * Math.PI} * u.yw;
  return vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y));
}
${perItemHead}
  if (i < P.blocks) {
    let bits = philox(vec4u(i, 0u, 0u, 0u), vec2u(P.key0, P.key1));
    out[i] = ${expression[distribution]};
  }
}`,
}));

/** 32 random bits an element (u32); the same as `randomWords` gives on the CPU. */
export function randomBits(device: Device, shape: readonly number[], seed: Seed): Tensor {
  return generate(device, shape, seed, "bits");
}

/** Uniform numbers in [0, 1), multiples of 2^-24 (f32); the same as `uniformOf` gives on the CPU. */
export function randomUniform(device: Device, shape: readonly number[], seed: Seed): Tensor {
  return generate(device, shape, seed, "uniform");
}

/** Normal numbers of mean 0 and deviation 1 (f32), by Box and Muller; their last bits depend on the adapter's log, cos and sin. */
export function randomNormal(device: Device, shape: readonly number[], seed: Seed): Tensor {
  return generate(device, shape, seed, "normal");
}

/** On the CPU: the bits that `randomBits` gives, for `count` elements. */
export function randomWords(count: number, seed: Seed): Uint32Array {
  const words = new Uint32Array(count);
  for (let block = 0; block * 4 < count; block++) {
    const bits = philox([block, 0, 0, 0], seed);
    words.set(bits.slice(0, count - block * 4), block * 4);
  }
  return words;
}

function generate(device: Device, shape: readonly number[], seed: Seed, distribution: Distribution): Tensor {
  const out = device.empty(shape, distribution === "bits" ? "u32" : "f32");
  const blocks = Math.ceil(sizeOf(shape) / 4);
  device.dispatch(kernel(distribution), {
    reads: [],
    writes: [out],
    uniforms: [blocks, seed[0], seed[1]],
    groups: grid(device, blocks),
  });
  return out;
}
