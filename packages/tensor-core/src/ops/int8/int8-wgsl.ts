// WGSL of eight bits.

/** `int8_four(word)`: its four numbers, the lowest bits first. */
export const int8Wgsl = /* wgsl */ `
fn int8_four(word: u32) -> vec4f {
  return vec4f((vec4i(bitcast<i32>(word)) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}`;
