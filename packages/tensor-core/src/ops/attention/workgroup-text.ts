// Text that the kernels for real GPUs share: 64 threads score a tile of 16 rows against 64 others through workgroup memory, each
// thread 4 rows against 4 others; then each holds 4 rows of the result in up to two vec4 columns.
import { dot4, times } from "./text.ts";

export const THREADS = 64;
/** Rows of the tile. */
export const ROWS = 16;
/** Rows that one step walks. */
export const OTHERS = 64;
/** Threads side by side, and so the distance of a thread's others and of its columns. */
export const ACROSS = 16;
/** vec4 of the head dimension that are staged at once. */
const CHUNK = 4;
/** Padded, so that neighboring threads read different banks. */
const PITCH = CHUNK + 1;

/** Names of a vec4's components. */
export const component: readonly string[] = ["x", "y", "z", "w"];

export const stagingWgsl = /* wgsl */ `
var<workgroup> owns: array<vec4f, ${ROWS * PITCH}>; // a chunk of the tile's rows, then whatever its user keeps there
var<workgroup> others: array<vec4f, ${OTHERS * PITCH}>; // a chunk of them while they are scored, then their weights [other][4 rows]
`;

/** `make(row)` for the thread's four rows, as a vec4. */
export function fourRows(make: (row: number) => string): string {
  return `vec4f(${[0, 1, 2, 3].map(make).join(", ")})`;
}

/** Where staged rows come from: expressions in `i` (row of the tile) or `j` (other), both in range, and `column`. */
export interface Source {
  readonly own: string;
  readonly other: string;
}

/**
 * Adds the dot products of rows and others to the accumulators `s<row>_<other>`, one product after the other. There are barriers
 * inside, the first before anything is staged.
 */
export function scoreText({ own, other }: Source): string {
  return `
    for (var chunk = 0u; chunk < P.dim4; chunk += ${CHUNK}u) {
      workgroupBarrier();
      {
        let d = thread % ${CHUNK}u;
        let i = thread / ${CHUNK}u;
        let inside = chunk + d < P.dim4;
        let column = min(chunk + d, P.dim4 - 1u);
        owns[i * ${PITCH}u + d] = select(vec4f(), ${own}, inside);
        for (var j = i; j < ${OTHERS}u; j += ${THREADS / CHUNK}u) {
          others[j * ${PITCH}u + d] = select(vec4f(), ${other}, inside);
        }
      }
      workgroupBarrier();
      for (var d = 0u; d < ${CHUNK}u; d++) {
${times(4, (r) => `        let x${r} = owns[(down * 4u + ${r}u) * ${PITCH}u + d];`)}
${times(4, (j) => `        let y${j} = others[(across + ${j * ACROSS}u) * ${PITCH}u + d];`)}
${times(4, (r) => times(4, (j) => `        ${dot4(`s${r}_${j}`, `y${j}`, `x${r}`)}`))}
      }
    }`;
}

/** Adds weights times rows of `source` (vec4 index of other `j`: `at`) to `name<row>_<column>`, for j below `count`. */
export function accumulateText(name: string, columns: number, source: string, at: string, count: string): string {
  return `
    for (var j = 0u; j < ${count}; j++) {
      let start = ${at};
      let w = others[j * 4u + down];
${times(
  columns,
  (c) => `      { let value = ${source}[start + min(across + ${c * ACROSS}u, P.dim4 - 1u)];
${times(4, (r) => `      ${name}${r}_${c} = fma(vec4f(w.${component[r]}), value, ${name}${r}_${c});`)} }`,
)}
    }`;
}
