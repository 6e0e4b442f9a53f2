// Real GPUs, few rows (decoding) against a weight [n, k]: bound by reading the weight, which is read once for up to eight rows. A thread has a column
// and one block of K at a time, and streams that part of the weight's row; the rows of a lie in workgroup memory, 32 k of each block at a time. One
// thread of a column then adds the sums of the blocks in ascending order: the canonical one.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { sigmoidWgsl } from "../activation-wgsl.ts";
import { K_BLOCK, range, startWgsl } from "./canonical.ts";
import { type FinishKind, finishCall, finishText } from "./finish.ts";
import {
  bindingsOf,
  type Element,
  elementOf,
  type Problem,
  type ProblemShape,
  problemUniforms,
  scaleUniforms,
  scaleUniformsOf,
  suffixOf,
  uniformsOf,
} from "./problem.ts";
import { type PrologueKind, prologueCall, prologueText } from "./prologue.ts";

const THREADS = 128;
/** Elements of K of a block that are in workgroup memory at once. */
const CHUNK = 32;
/** Blocks of K side by side, where there are several. */
const BLOCKS = 8;
/** Most rows that this kernel is better for. */
const MOST_ROWS = 16;

/** Weights in one load of a thread. */
const loadOf: Readonly<Record<Element, number>> = { f32: 4, bf16: 8, int8: 16 };

export function fitsFewRows({ layout, b, scales, m, k, block }: ProblemShape): boolean {
  const isWhole = k > 0 && k % loadOf[elementOf({ b, scales })] === 0;
  return layout === "nt" && m <= MOST_ROWS && block === K_BLOCK && isWhole;
}

/** Values of one load, as scalars; in eight bits times `scale`, which is exact. */
function widened(word: string, element: Element, scale: string): string[] {
  const parts = [..."xyzw"].map((c) => `${word}.${c}`);
  if (element === "f32") return parts;
  if (element === "int8")
    return parts.flatMap((part) =>
      range(4).map((byte) => `(f32(extractBits(bitcast<i32>(${part}), ${8 * byte}u, 8u)) * ${scale})`),
    );
  return parts.flatMap((part) => [`bitcast<f32>(${part} << 16u)`, `bitcast<f32>(${part} & 0xffff0000u)`]);
}

/** `rows`: 1, 2, 4 or 8 of a workgroup. `unrolls`: see panels.ts. */
const kernel = defineKernel(
  (
    element: Element,
    rows: number,
    blocks: number,
    unrolls: boolean,
    finish: FinishKind,
    prologue: PrologueKind,
    gated: boolean,
  ) => {
    const preparing = prologueText(prologue, rows);
    const finishing = finishText(finish);
    const columns = THREADS / blocks;
    const lanes = loadOf[element];
    const width = Math.min(rows, 4); // rows in a vector
    const vectors = range(rows / width);
    const vector = width === 1 ? "f32" : `vec${width}f`;
    const perBlock = CHUNK * vectors.length;
    const pitch = perBlock + 1; // blocks begin in different banks
    const staged = (blocks * perBlock) / THREADS; // vectors that a thread puts there
    const part = (c: number): string => (width === 1 ? "" : `.${"xyzw"[c]}`);
    const given = (c: number): string =>
      `a[aBase + min(firstRow + v * ${width}u + ${c}u, P.m - 1u) * P.aStride + min(k, P.k - 1u)]`;
    const stored = `${vector}(${range(width).map(given).join(", ")})`;
    const value = preparing.value(width, stored, (c) => `v * ${width}u + ${c}u`);
    const stage = range(Math.ceil(staged)).map(
      (i) => `{ let e = thread + ${i * THREADS}u; ${staged < 1 ? `if (e < ${blocks * perBlock}u) ` : ""}{
        let v = e % ${vectors.length}u; let k = base + e / ${perBlock}u * ${K_BLOCK}u + chunk + e % ${perBlock}u / ${vectors.length}u;
        x[e / ${perBlock}u * ${pitch}u + e % ${perBlock}u] = select(${vector}(), ${value}, k < P.k); } }`,
    );
    const multiply = (word: string, at: string, q: string): string =>
      widened(word, element, `scale${q}`)
        .map((weight, u) =>
          vectors
            .map((v) => `sum${v} = fma(${vector}(${weight}), x[${at} + ${u * vectors.length + v}u], sum${v});`)
            .join(" "),
        )
        .join("\n        ");
    const loads = range(CHUNK / lanes);
    const weightAt = (q: string): string => `b[bAt + min(k / ${lanes}u + ${q}, P.k / ${lanes}u - 1u)]`;
    const scaleAt = (q: string): string =>
      element === "int8"
        ? `let scale${q} = scales[((bAt + min(k / ${lanes}u + ${q}, P.k / ${lanes}u - 1u)) * ${lanes}u) >> P.groupShift];`
        : "";
    const each = range(rows).map((r) => ({
      row: `firstRow + ${r}u`,
      sum: `total${Math.floor(r / width)}${part(r % width)}`,
    }));
    const half = columns / 2;
    // With a gate, a workgroup has columns of the first half and those of the second that belong to them.
    const place = gated
      ? `let pair = group.x * ${half}u + lane % ${half}u;
  let column = select(pair, pair + P.n / 2u, lane >= ${half}u);
  let outColumn = pair;
  let isColumn = pair < P.n / 2u;`
      : `let column = group.x * ${columns}u + lane;
  let outColumn = column;
  let isColumn = column < P.n;`;
    const write = gated
      ? `if (finishes) {
    ${each.map(({ row, sum }, r) => `if (${row} < P.m) { both[${r * columns}u + lane] = finish(0u, ${row}, column, ${sum}); }`).join("\n    ")}
  }
  workgroupBarrier();
  if (finishes && lane < ${half}u) {
    ${each.map(({ row }, r) => `if (${row} < P.m) { out[outAt + (${row}) * P.outStride] = gate_of(both[${r * columns}u + lane], both[${r * columns + half}u + lane]); }`).join("\n    ")}
  }`
      : `if (finishes) {
    ${each.map(({ row, sum }) => `if (${row} < P.m) { let at = outAt + (${row}) * P.outStride; out[at] = finish(at, ${row}, column, ${sum}); }`).join("\n    ")}
  }`;
    const gating = `${sigmoidWgsl}
var<workgroup> both: array<f32, ${rows * columns}>;
fn gate_of(gate: f32, up: f32) -> f32 {
  let x = vec4f(gate);
  return (x * sigmoid(x) * vec4f(up)).x;
}`;
    return {
      name: `matmul_few_rows/${rows}${suffixOf(element)}/${columns}x${blocks}${prologue && `/${prologue}`}${finish && `/${finish}`}${gated ? "/gate" : ""}`,
      reads: {
        ...{ a: "f32", b: element === "f32" ? "vec4f" : "vec4u", bias: "f32" },
        ...(element === "int8" && { scales: "f32" }),
        ...preparing.reads,
        ...finishing.reads,
      },
      writes: { out: "f32" },
      uniforms: {
        ...{ ...problemUniforms, loads: "u32" },
        ...(element === "int8" && scaleUniforms),
        ...preparing.uniforms,
        ...finishing.uniforms,
      },
      code: /* wgsl */ `${startWgsl}${preparing.code}${finishing.code}${gated ? gating : ""}
var<workgroup> x: array<${vector}, ${blocks * pitch}>;
var<workgroup> sums: array<${vector}, ${THREADS * vectors.length}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % ${columns}u;
  let own = thread / ${columns}u; // block
  ${place}
  let firstRow = group.y * ${rows}u;
  let aBase = group.z * P.m * P.k + P.aColumn;
  let bAt = (group.z * P.n + min(column, P.n - 1u)) * (P.k / ${lanes}u);
  let outAt = group.z * P.m * P.outStride + P.outColumn + outColumn;
  let finishes = own == 0u && isColumn;
  ${vectors.map((v) => `var total${v} = ${vector}();`).join(" ")}
  if (finishes && P.initial != 0u) {
    ${each.map(({ row, sum }) => `if (${row} < P.m) { ${sum} = start(outAt + (${row}) * P.outStride, column); }`).join("\n    ")}
  }
  ${preparing.before}
  for (var base = 0u; base < P.k; base += ${blocks * K_BLOCK}u) {
    ${vectors.map((v) => `var sum${v} = ${vector}();`).join(" ")}
    for (var chunk = 0u; chunk < min(${K_BLOCK}u, P.k - base); chunk += ${CHUNK}u) {
      let k = base + own * ${K_BLOCK}u + chunk;
      ${unrolls ? loads.map((q) => `let w${q} = ${weightAt(`${q}u`)}; ${scaleAt(`${q}u`)}`).join(" ") : ""}
      workgroupBarrier();
      ${stage.join("\n      ")}
      workgroupBarrier();
      ${
        unrolls
          ? loads
              .map((q) => `{ ${multiply(`w${q}`, `own * ${pitch}u + ${q * lanes * vectors.length}u`, `${q}u`)} }`)
              .join("\n      ")
          : `for (var q = 0u; q < P.loads; q++) { let w = ${weightAt("q")}; ${scaleAt("q")} let at = own * ${pitch}u + q * ${lanes * vectors.length}u; ${multiply("w", "at", "q")} }`
      }
    }
    ${vectors.map((v) => `sums[thread * ${vectors.length}u + ${v}u] = sum${v};`).join(" ")}
    workgroupBarrier();
    if (own == 0u) {
      for (var i = 0u; i < min(${blocks}u, (P.k - base + ${K_BLOCK - 1}u) / ${K_BLOCK}u); i++) {
        ${vectors.map((v) => `total${v} += sums[(i * ${columns}u + lane) * ${vectors.length}u + ${v}u];`).join(" ")}
      }
    }
  }
  ${write}
}`,
    };
  },
);

/** How a product is computed, where not as its shape and the adapter say. All give equal bits. */
export interface FewRowsVariant {
  /** Of a workgroup. */
  readonly rows?: 1 | 2 | 4 | 8;
  readonly unrolls?: boolean;
}

/** A software adapter, which runs these kernels in tests, has fewer of them to compile. */
function rowsFor(software: boolean, m: number): 1 | 2 | 4 | 8 {
  if (software) return m === 1 ? 1 : 4;
  return ([1, 2, 4] as const).find((rows) => m <= rows) ?? 8;
}

export function dispatchFewRows(device: Device, problem: Problem, variant: FewRowsVariant = {}): void {
  const { batch, m, n, k, prologue, finish } = problem;
  const element = elementOf(problem);
  const { software } = device.facts;
  const { rows = rowsFor(software, m), unrolls = !software } = variant;
  const blocks = k <= K_BLOCK ? 1 : BLOCKS;
  const { reads, writes } = bindingsOf(problem);
  const preparing = prologueCall(prologue);
  const finishing = finishCall(problem);
  device.dispatch(kernel(element, rows, blocks, unrolls, finishing.kind, prologue?.kind ?? "", finish.gate ?? false), {
    reads: [...reads, ...preparing.reads, ...finishing.reads],
    writes,
    uniforms: [
      ...uniformsOf(problem),
      CHUNK / loadOf[element],
      ...scaleUniformsOf(problem),
      ...preparing.uniforms,
      ...finishing.uniforms,
    ],
    groups: [Math.ceil((n * blocks) / THREADS), Math.ceil(m / rows), batch],
  });
}
