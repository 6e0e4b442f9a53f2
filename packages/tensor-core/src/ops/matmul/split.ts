// Products with few tiles and a long K, such as the gradients of an adapter's matrices: each block of K has workgroups of its own, whose sums a second
// kernel adds in ascending order. The canonical order allows that: the bits are those of one workgroup that takes all blocks.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { startWgsl } from "./canonical.ts";
import type { Problem } from "./problem.ts";

/** Bytes of block sums that a product may take beside its own. */
const MOST_BYTES = 64 << 20;

/** Whether blocks of K can be computed apart: there are several, and room for their sums. */
export function fitsSplit({ facts }: Device, { m, n, k, batch, block }: Problem): boolean {
  const blocks = Math.ceil(k / block);
  return blocks > 1 && 4 * m * n * batch * blocks <= MOST_BYTES && batch * blocks <= facts.maxWorkgroupsPerDimension;
}

/** Blocks of K that are computed apart; 1 where there are enough tiles without. */
export function splitsOf(device: Device, problem: Problem, tiles: number, enough: number): number {
  return tiles < enough && fitsSplit(device, problem) ? Math.ceil(problem.k / problem.block) : 1;
}

const mergeKernel = defineKernel(() => ({
  name: "matmul_merge",
  reads: { sums: "f32", bias: "f32" },
  writes: { out: "f32" },
  uniforms: {
    ...{ items: "u32", m: "u32", n: "u32", splits: "u32", outStride: "u32", outColumn: "u32" },
    ...{ biasStart: "u32", initial: "u32" },
  },
  code: /* wgsl */ `${startWgsl}${perItemHead}
  if (i >= P.items) { return; }
  let column = i % P.n;
  let row = i / P.n; // of all matrices together
  let at = row * P.outStride + P.outColumn + column;
  var total = start(at, column);
  var place = (row / P.m * P.splits * P.m + row % P.m) * P.n + column;
  for (var split = 0u; split < P.splits; split++) {
    total += sums[place];
    place += P.m * P.n;
  }
  out[at] = total;
}`,
}));

/** Calls `compute` with the problem, or with one whose output are the sums of each block `[batch, splits, m, n]`, and merges these. */
export function dispatchSplit(
  device: Device,
  problem: Problem,
  splits: number,
  compute: (problem: Problem) => void,
): void {
  if (splits === 1) {
    compute(problem);
    return;
  }
  const { m, n, batch, out, outColumns, bias, biasStart, initial } = problem;
  const sums = device.empty([batch, splits, m, n]);
  compute({ ...problem, out: sums, outColumns: { column: 0, stride: n }, initial: 0 });
  const items = batch * m * n;
  device.dispatch(mergeKernel(), {
    reads: [sums, bias ?? sums],
    writes: [out],
    uniforms: [items, m, n, splits, outColumns.stride, outColumns.column, biasStart, initial],
    groups: grid(device, items),
  });
  sums.dispose();
}
