// Sums of squares of many tensors in few dispatches, in the order of `dispatchReduce`: the norm of all gradients has the bits that it would have by a
// reduction each. A workgroup has one tensor, or 16 blocks of it; which, stands in the uniforms, so that nothing is uploaded.
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { neighbors, spanOf } from "../memory/pack.ts";
import { defineKernel, UNIFORM_SLOT } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { dispatchReduce, ONE_PASS, REDUCE_BLOCK } from "./reduce.ts";

/** Blocks of a tensor that one reduction takes in one pass. */
const LANES = ONE_PASS / REDUCE_BLOCK;
/** Elements of a tensor at most: so the sums of its blocks are one block. */
const LARGEST = 4 * REDUCE_BLOCK * REDUCE_BLOCK;
/** Blocks of such a tensor at most, where its length is no multiple of four. */
const PARTS = 4 * REDUCE_BLOCK;
/** Tensors of one dispatch: two words each, and one more. */
const MOST = Math.floor((UNIFORM_SLOT / 4 - 1) / 2);
/** Bits of a word that hold a tensor's length; the others its place. */
const LENGTH_BITS = 20;

const slots = Array.from({ length: MOST }, (_, i) => i);
const uniforms = Object.fromEntries([
  ["count", "u32" as const],
  ...slots.flatMap((i) => [`start${i}`, `length${i}`].map((name) => [name, "u32" as const])),
]);

/** `job(i)`: where tensor i of the dispatch begins, its elements, and where its sum goes. */
const jobWgsl = /* wgsl */ `
struct Job { start: u32, length: u32, place: u32, items: u32 };
fn job(i: u32) -> Job {
  var words = vec2u();
  switch i {
    ${slots.map((i) => `case ${i}u: { words = vec2u(P.start${i}, P.length${i}); }`).join("\n    ")}
    default: {}
  }
  let length = words.y & ${2 ** LENGTH_BITS - 1}u;
  return Job(words.x, length, words.y >> ${LENGTH_BITS}u, select(length, length / 4u, length % 4u == 0u));
}
fn folded(v: vec4f) -> f32 { return v.x + v.y + (v.z + v.w); }`;

// Rows of a multiple of four elements have four sums side by side, others one: in a vec4f whose other parts are left out of the result.
const blocksKernel = defineKernel(() => ({
  name: "squares_blocks",
  reads: { x: "vec4f" },
  writes: { squares: "f32", partial: "f32" },
  uniforms,
  code: /* wgsl */ `${jobWgsl}
var<workgroup> sums: array<vec4f, ${LANES}>;
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = job(group.x);
  let wide = own.length % 4u == 0u;
  let block = group.y * ${LANES}u + lane;
  let first = block * ${REDUCE_BLOCK}u;
  let end = min(first + ${REDUCE_BLOCK}u, own.items);
  var acc = vec4f();
  if (wide) {
    for (var k = first; k < end; k++) { let v = x[own.start + k]; acc = fma(v, v, acc); }
  } else {
    for (var k = first; k < end; k++) { let v = x[own.start + k / 4u][k % 4u]; acc.x = fma(v, v, acc.x); }
  }
  let result = select(acc.x, folded(acc), wide);
  if (own.items > ${ONE_PASS}u) {
    if (first < own.items) { partial[group.x * ${PARTS}u + block] = result; }
    return;
  }
  sums[lane] = acc;
  workgroupBarrier();
  if (lane > 0u || group.y > 0u) { return; }
  var total = vec4f();
  for (var i = 0u; i * ${REDUCE_BLOCK}u < own.items; i++) { total = total + sums[i]; }
  squares[own.place] = select(total.x, folded(total), wide);
}`,
}));

/** The sums of a tensor's blocks to its sum: a thread a tensor. */
const mergeKernel = defineKernel(() => ({
  name: "squares_merge",
  reads: { partial: "f32" },
  writes: { squares: "f32" },
  uniforms,
  code: /* wgsl */ `${jobWgsl}
@compute @workgroup_size(${MOST + 1})
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane >= P.count) { return; }
  let own = job(lane);
  if (own.items <= ${ONE_PASS}u) { return; }
  let blocks = (own.items + ${REDUCE_BLOCK - 1}u) / ${REDUCE_BLOCK}u;
  let at = lane * ${PARTS}u;
  if (blocks % 4u == 0u) {
    var acc = vec4f();
    for (var k = at; k < at + blocks; k += 4u) {
      acc = acc + vec4f(partial[k], partial[k + 1u], partial[k + 2u], partial[k + 3u]);
    }
    squares[own.place] = folded(acc);
    return;
  }
  var total = 0.0;
  for (var block = 0u; block < blocks; block += ${REDUCE_BLOCK}u) {
    var acc = 0.0;
    for (var k = block; k < min(block + ${REDUCE_BLOCK}u, blocks); k++) { acc = acc + partial[at + k]; }
    total = total + acc;
  }
  squares[own.place] = total;
}`,
}));

/** Records `squares[k] = Σ x²` over the elements of the k-th of `tensors`, which are f32 and not sharded. */
export function sumsOfSquares(device: Device, tensors: readonly Tensor[], squares: Tensor): void {
  for (const run of neighbors([tensors])) {
    const small = run.filter((place) => at(tensors, place).size <= LARGEST && place < 2 ** (32 - LENGTH_BITS));
    if (small.length > 1) {
      const inOnePass = (place: number): boolean => blocksOf(at(tensors, place)) <= LANES;
      for (const some of [small.filter((place) => !inOnePass(place)), small.filter(inOnePass)]) // few of them are merged
        for (let first = 0; first < some.length; first += MOST)
          dispatchTogether(device, tensors, some.slice(first, first + MOST), squares);
    }
    for (const place of small.length > 1 ? run.filter((place) => !small.includes(place)) : run) {
      const x = at(tensors, place);
      dispatchReduce(device, "squares", [x], squares, { outer: 1, length: x.size, inner: 1, start: place });
    }
  }
}

function blocksOf({ size }: Tensor): number {
  return Math.ceil((size % 4 === 0 ? size / 4 : size) / REDUCE_BLOCK);
}

function dispatchTogether(device: Device, tensors: readonly Tensor[], run: readonly number[], squares: Tensor): void {
  const members = run.map((place) => at(tensors, place));
  const first = at(members, 0);
  const x = spanOf(tensors, run);
  const words = members.flatMap(({ byteOffset, size }, i) => [
    (byteOffset - first.byteOffset) / 16,
    at(run, i) * 2 ** LENGTH_BITS + size,
  ]);
  const values = [members.length, ...words, ...new Array<number>(2 * (MOST - members.length)).fill(0)];
  const blocks = Math.max(...members.map(blocksOf));
  const isTwoPass = blocks > LANES;
  const partial = device.empty([isTwoPass ? members.length * PARTS : 1]);
  device.dispatch(blocksKernel(), {
    reads: [x],
    writes: [squares, partial],
    uniforms: values,
    groups: [members.length, Math.ceil(blocks / LANES)],
  });
  if (isTwoPass) device.dispatch(mergeKernel(), { reads: [partial], writes: [squares], uniforms: values, groups: [1] });
  for (const tensor of [x, partial]) tensor.dispose();
}
