// Text that the kernels for real GPUs share: threads score a tile of rows against 64 others through workgroup memory, each thread 4 rows
// against 4 others; then each holds 4 rows of the result in up to two vec4 columns.
import { dot4, times } from "./text.ts";

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

/** Threads for a tile of so many rows, four a thread. */
export function threadsOf(rows: number): number {
  return (rows / 4) * ACROSS;
}

/** Workgroup memory for a tile of so many rows. */
export function stagingWgsl(rows: number): string {
  return /* wgsl */ `
var<workgroup> owns: array<vec4f, ${rows * PITCH}>; // a chunk of the tile's rows, then whatever its user keeps there
var<workgroup> others: array<vec4f, ${OTHERS * Math.max(PITCH, rows / 4)}>; // a chunk of them while they are scored, then their weights [other][rows]
`;
}

/** The weights of other `j` for the thread's four rows. */
export function weightsAt(j: string, rows: number): string {
  return `others[(${j}) * ${rows / 4}u + down]`;
}

/** `make(row)` for the thread's four rows, as a vec4. */
export function fourRows(make: (row: number) => string): string {
  return `vec4f(${[0, 1, 2, 3].map(make).join(", ")})`;
}

/** Rows to stage: an array of vec4f, and where one begins in it, an expression in `i` (row of the tile) or `j` (other), both to be kept in range. */
export interface Source {
  readonly array: string;
  readonly start: string;
}

/** Arrays that take the places of the two where the condition `when`, the same for all threads, holds. */
export interface Instead {
  readonly when: string;
  readonly own: string;
  readonly other: string;
}

/**
 * Adds the dot products of rows and others to the accumulators `s<row>_<other>`, one product after the other. There are barriers
 * inside, the first before anything is staged.
 */
export function scoreText(rows: number, own: Source, other: Source, instead?: Instead): string {
  const apart = threadsOf(rows) / CHUNK;
  const loads = OTHERS / apart;
  const load = (ownArray: string, otherArray: string): string =>
    `x = ${ownArray}[ownStart + column]; ${times(loads, (u) => `y${u} = ${otherArray}[start${u} + column];`)}`;
  const usual = load(own.array, other.array);
  return `
    { let i = thread / ${CHUNK}u;
    let ownStart = ${own.start};
${times(loads, (u) => `    var start${u} = 0u; { let j = i + ${u * apart}u; start${u} = ${other.start}; }`)}
    for (var chunk = 0u; chunk < P.dim4; chunk += ${CHUNK}u) {
      let d = thread % ${CHUNK}u;
      let inside = chunk + d < P.dim4;
      let column = min(chunk + d, P.dim4 - 1u);
      var x: vec4f;
${times(loads, (u) => `      var y${u}: vec4f;`)}
      ${instead ? `if (${instead.when}) { ${load(instead.own, instead.other)} } else { ${usual} }` : usual}
      workgroupBarrier();
      owns[i * ${PITCH}u + d] = select(vec4f(), x, inside);
${times(loads, (u) => `      others[(i + ${u * apart}u) * ${PITCH}u + d] = select(vec4f(), y${u}, inside);`)}
      workgroupBarrier();
      for (var d = 0u; d < ${CHUNK}u; d++) {
${times(4, (r) => `        let x${r} = owns[(down * 4u + ${r}u) * ${PITCH}u + d];`)}
${times(4, (j) => `        let y${j} = others[(across + ${j * ACROSS}u) * ${PITCH}u + d];`)}
${times(4, (r) => times(4, (j) => `        ${dot4(`s${r}_${j}`, `y${j}`, `x${r}`)}`))}
      }
    } }`;
}

/** What is summed by weights: `array` of vec4f, in which `start` (an expression in `j`) begins the row of an other. */
export interface Summed extends Source {
  /** Others that there are. */
  readonly count: string;
  /** Text for each other's weights, `w`. */
  readonly each?: string;
}

/**
 * Adds weights times rows to `name<row>_<column>`. The rows are staged where the tile's were, a vec4 a thread, which is so many others a step that the
 * weights of those beyond the count are read: they must be 0. There are barriers inside, the first before anything is staged.
 */
export function accumulateText(name: string, rows: number, columns: number, summed: Summed): string {
  const { array, start, count, each = "" } = summed;
  const width = columns * ACROSS;
  const atOnce = threadsOf(rows) / width;
  return `
    { let last = ${count} - 1u;
    let column = min(thread % ${width}u, P.dim4 - 1u);
    for (var step = 0u; step < ${OTHERS / atOnce}u; step++) { // constant bounds leave no checks of indices
      if (step * ${atOnce}u > last) { break; }
      let j = min(step * ${atOnce}u + thread / ${width}u, last);
      let value = ${array}[${start} + column];
      workgroupBarrier();
      owns[thread] = value;
      workgroupBarrier();
${times(
  atOnce,
  (t) => `      { let w = ${weightsAt(`step * ${atOnce}u + ${t}u`, rows)}; ${each}
${times(
  columns,
  (c) => `      let value${c} = owns[${t * width + c * ACROSS}u + across];
${times(4, (r) => `      ${name}${r}_${c} = fma(vec4f(w.${component[r]}), value${c}, ${name}${r}_${c});`)}`,
)} }`,
)}
    } }`;
}
