// The running state of a softmax over the vocabulary, and its canonical order, which everything that computes a log-prob keeps, so that
// all of them give equal bits: blocks of 256 ids ascending from id 0; within a block the largest logit, then serial sums in ascending ids;
// block states are merged in ascending order, from the empty state, by `merge_states`. Slices, shards and batches do not change it.
import { nonFiniteScalarWgsl } from "../non-finite-wgsl.ts";

/** Ids of a block. Slices of the vocabulary start at multiples of it. */
export const VOCABULARY_BLOCK = 256;

/**
 * A state is (largest logit m, sum of e, sum of e d, unused), where d = (logit - m) / T and e = exp(d); a sum of 0 means empty.
 * Terms below exp(-87), the smallest normal f32, count as 0; a logit of NaN or infinity makes the sums NaN. Then log-sum-exp is m / T + log(sum), and the entropy is
 * log(sum) - (sum of e d) / sum.
 */
export const stateWgsl: string = /* wgsl */ `${nonFiniteScalarWgsl}
const LOWEST = -3.4028234e38;
fn scaled(logit: f32, largest: f32, inverse_temperature: f32) -> f32 {
  return (logit - largest) * inverse_temperature;
}
// What a logit adds: (e, d as the sum of e d takes it).
fn term_of(logit: f32, largest: f32, inverse_temperature: f32) -> vec2f {
  let d = scaled(logit, largest, inverse_temperature);
  let bounded = max(d, -87.0);
  return vec2f(select(select(0.0, exp(bounded), d > -87.0), d, is_nan(d)), bounded);
}
fn add_term(state: vec4f, e: f32, d: f32) -> vec4f {
  return vec4f(state.x, state.y + e, fma(e, d, state.z), 0.0);
}
fn add_logit(state: vec4f, logit: f32, inverse_temperature: f32) -> vec4f {
  let term = term_of(logit, state.x, inverse_temperature);
  return add_term(state, term.x, term.y);
}
fn is_empty(state: vec4f) -> bool { return bitcast<u32>(state.y) == 0u; }
// What two states are brought to their larger logit by: (factor of a, shift of a, factor of b, shift of b).
struct Shifts { largest: f32, by: vec4f }
fn shifts_of(a: f32, b: f32, inverse_temperature: f32) -> Shifts {
  let largest = max(a, b);
  let a_shift = max(scaled(a, largest, inverse_temperature), -87.0);
  let b_shift = max(scaled(b, largest, inverse_temperature), -87.0);
  return Shifts(largest, vec4f(exp(a_shift), a_shift, exp(b_shift), b_shift));
}
// Of states that are not empty.
fn join_states(a: vec4f, b: vec4f, shifts: Shifts) -> vec4f {
  let by = shifts.by;
  return vec4f(
    shifts.largest,
    fma(by.z, b.y, by.x * a.y),
    fma(by.z, fma(by.w, b.y, b.z), by.x * fma(by.y, a.y, a.z)),
    0.0);
}
fn merge_states(a: vec4f, b: vec4f, inverse_temperature: f32) -> vec4f {
  if (is_empty(a)) { return b; }
  if (is_empty(b)) { return a; }
  return join_states(a, b, shifts_of(a.x, b.x, inverse_temperature));
}`;

/** `fn sort_key(x) -> u32`: larger floats have larger keys; the two zeros have one. */
export const sortKeyWgsl: string = /* wgsl */ `
fn sort_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}`;
