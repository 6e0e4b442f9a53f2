// Large products by tensor cores (docs/decisions/0005-tensor-cores.md): f16 operands, sums in f32. A row of an operand is brought into the range of f16
// by a power of two and cut in two halves, `high + low`; bf16 has no low half. Products of halves, but for low by low, are summed over a block of K by the
// cores, in an order of their own; block sums are added in the canonical order. No row's sum depends on the rows beside it.
import type { Device } from "../../device/device.ts";
import { type MatrixUnit, REGION, SUBGROUPS } from "../../device/matrix-unit.ts";
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { int8Wgsl } from "../int8/int8-wgsl.ts";
import { range, startWgsl } from "./canonical.ts";
import { powersOf } from "./matrix-scales.ts";
import { type MatrixText, type Panel, subgroupMatrices } from "./matrix-wgsl.ts";
import { elementTypes, fitsPanels, forRows, fourOf } from "./panels.ts";
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
import { dispatchSplit, splitsOf } from "./split.ts";

/** Fewer columns, or rows of a weight's gradient, are not worth a tile. */
const LEAST = 64;
/** Workgroups that keep a card busy. */
const ENOUGH = 256;
/** Elements of f16 behind a row of a panel, which keep rows in different banks and at multiples of 16 bytes. */
const PADDING = 8;

export function fitsMatrix({ facts }: Pick<Device, "facts">, problem: ProblemShape): boolean {
  const { layout, m, n, batch } = problem;
  return facts.matrices !== null && batch === 1 && n >= LEAST && (layout !== "tn" || m >= LEAST) && fitsPanels(problem);
}

/** The tile of a subgroup, and the depth of a panel. */
export interface MatrixRegion {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** Weights in bf16 need no low half: there is room for twice the depth. */
const regionOf = (element: Element): MatrixRegion => ({
  ...REGION,
  depth: element === "bf16" ? 2 * REGION.depth : REGION.depth,
});

interface Operand extends Panel {
  readonly size: number;
  /** WGSL: the vec4f at a group of four elements. */
  readonly four: (group: string) => string;
  /** WGSL: elements before the matrix, from a row to the next (or a k to the next), its rows, and the tile's first. */
  readonly base: string;
  readonly stride: string;
  readonly count: string;
  readonly first: string;
  /** Whether there is a low half. */
  readonly isSplit: boolean;
}

function operandsOf(layout: Problem["layout"], element: Element, region: MatrixRegion): readonly [Operand, Operand] {
  const pitch = (kMajor: boolean, size: number): number => (kMajor ? size : region.depth) + PADDING;
  const [rows, columns] = [region.rows * SUBGROUPS.down, region.columns * SUBGROUPS.across];
  return [
    {
      ...{ name: "rows", size: rows, kMajor: layout === "tn", pitch: pitch(layout === "tn", rows), isSplit: true },
      ...{ four: (group) => `a[${group}]`, base: "P.aColumn", stride: "P.aStride", count: "P.m", first: "rowsFirst" },
    },
    {
      ...{ name: "columns", size: columns, kMajor: layout !== "nt", pitch: pitch(layout !== "nt", columns) },
      ...{ isSplit: element !== "bf16", four: fourOf[element] },
      ...{ base: "0u", stride: layout === "nt" ? "P.k" : "P.n", count: "P.n", first: "columnsFirst" },
    },
  ];
}

const halvesOf = ({ isSplit }: Operand): readonly ("high" | "low")[] => (isSplit ? ["high", "low"] : ["high"]);

/** Elements of a half in workgroup memory. */
const elementsOf = ({ kMajor, size, pitch }: Operand, { depth }: MatrixRegion): number =>
  (kMajor ? depth : size) * pitch;

/** A thread's part `i` of the next panel: zeros beyond the end of K; beyond the last row, that row. */
function fill(operand: Operand, { depth }: MatrixRegion, i: number, threads: number): string {
  const { name, size, kMajor, pitch, four, base, stride, count, first } = operand;
  const place = kMajor
    ? `let d = e / ${size / 4}u; let row = e % ${size / 4}u * 4u; let k = kNext + d;
      let source = min(${first} + row, ${count} - 4u); let place = d * ${pitch}u + row;
      let power = vec4f(${range(4)
        .map((c) => `${name}_powers[source + ${c}u]`)
        .join(", ")});
      let group = (${base} + min(k, P.k - 1u) * ${stride} + source) / 4u;`
    : `let d = e % ${depth / 4}u * 4u; let row = e / ${depth / 4}u; let k = kNext + d;
      let source = min(${first} + row, ${count} - 1u); let place = row * ${pitch}u + d;
      let power = vec4f(${name}_powers[source]);
      let group = (${base} + source * ${stride} + min(k, P.k - 4u)) / 4u;`;
  const put = (half: string): string =>
    range(4)
      .map((c) => `${name}_${half}[place + ${c}u] = ${half}.${"xyzw"[c]};`)
      .join(" ");
  const halves = operand.isSplit
    ? `let most = most_of(value); let high = vec4h(most); let low = vec4h(value - most); ${put("high")} ${put("low")}`
    : `let high = vec4h(value); ${put("high")}`;
  return `{ let e = thread + ${i * threads}u; ${place}
      let value = select(vec4f(), ${four("group")} * power, k < kEnd);
      ${halves} }`;
}

/** Kernels whose steps are those of `text`. */
export function matrixKernels(text: MatrixText) {
  return defineKernel(
    (
      ...[layout, element, m, n, k, lanes, isAskedFor, regionRows, regionColumns, depth]: [
        ...[layout: Problem["layout"], element: Element],
        ...[m: number, n: number, k: number, lanes: number, isAskedFor: boolean],
        ...[regionRows: number, regionColumns: number, depth: number],
      ]
    ) => {
      const unit: MatrixUnit = { m, n, k, lanes, isAskedFor };
      const region: MatrixRegion = { rows: regionRows, columns: regionColumns, depth };
      const operands = operandsOf(layout, element, region);
      const [left, right] = operands;
      const threads = SUBGROUPS.down * SUBGROUPS.across * lanes;
      const [down, across] = [range(regionRows / m), range(regionColumns / n)];
      const matrices = down.flatMap((i) => across.map((j) => ({ i, j, sums: `sums${i}_${j}` })));
      const perLane = range((m * n) / lanes);
      const fills = operands.flatMap((operand) =>
        range((operand.size * depth) / 4 / threads).map((i) => fill(operand, region, i, threads)),
      );
      const offset = ({ kMajor, pitch }: Operand, row: string, d: number): string =>
        kMajor ? `${d * pitch}u + ${row}` : `(${row}) * ${pitch}u + ${d}u`;
      const at = (operand: Operand, half: "high" | "low", row: string, d: number) =>
        ({ ...operand, half, at: offset(operand, row, d) }) as const;
      // Products of low halves by each other are beneath what f32 holds.
      const step = (d: number): string => `{
        ${across
          .flatMap((j) =>
            halvesOf(right).map(
              (half) => `let ${half}${j} = ${text.right(at(right, half, `regionColumn + ${j * n}u`, d))};`,
            ),
          )
          .join("\n        ")}
        ${down
          .map(
            (i) => `{
          ${halvesOf(left)
            .map((half) => `let ${half} = ${text.left(at(left, half, `regionRow + ${i * m}u`, d))};`)
            .join("\n          ")}
          ${across
            .flatMap((j) =>
              [
                ["high", "high"] as const,
                ["low", "high"] as const,
                ...(right.isSplit ? [["high", "low"] as const] : []),
              ].map(([l, r]) => `sums${i}_${j} = ${text.multiply(l, `${r}${j}`, `sums${i}_${j}`)};`),
            )
            .join("\n          ")}
        }`,
          )
          .join("\n        ")}
      }`;
      const row = (i: number, e: number): string => `(row + ${i * m + (e * lanes) / n}u)`;
      const column = (j: number): string => `(column + ${j * n}u)`;
      const inside = (i: number, j: number, e: number): string => `${row(i, e)} < P.m && ${column(j)} < P.n`;
      const place = (i: number, j: number, e: number): string =>
        `outAt + ${i * m + (e * lanes) / n}u * P.outStride + ${j * n}u`;
      const each = matrices.flatMap(({ i, j }) =>
        perLane.map((e) => ({ total: `total${i}_${j}_${e}`, inside: inside(i, j, e), place: place(i, j, e), j })),
      );
      const add = matrices.map(
        ({ i, j, sums }) => `${text.store(sums, "slabAt", unit)} ${sums} = Sums();
      workgroupBarrier();
      ${perLane
        .map(
          (e) =>
            `total${i}_${j}_${e} = fma(slab[slabAt + lane + ${e * lanes}u] * inverse(rows_powers[min(${row(i, e)}, P.m - 1u)]), inverse${j}, total${i}_${j}_${e});`,
        )
        .join("\n      ")}
      workgroupBarrier();`,
      );
      return {
        name: `matmul_matrix/${layout}${suffixOf(element)}/${m}x${n}x${k}`,
        extensions: text.extensions(unit),
        reads: {
          ...{ a: "vec4f", b: elementTypes[element], bias: "f32" },
          ...(element === "int8" && { scales: "f32" }),
          ...{ rows_powers: "f32", columns_powers: "f32" },
        },
        writes: { out: "f32" },
        uniforms: {
          ...{ ...problemUniforms, splits: "u32", rowsBefore: "u32" },
          ...(element === "int8" && scaleUniforms),
        },
        code: /* wgsl */ `${startWgsl}${element === "int8" ? int8Wgsl : ""}
${operands.flatMap((o) => halvesOf(o).map((half) => `var<workgroup> ${o.name}_${half}: array<f16, ${elementsOf(o, region)}>;`)).join("\n")}
var<workgroup> slab: array<f32, ${SUBGROUPS.down * SUBGROUPS.across * m * n}>;
${text.declarations(unit, operands, right.isSplit)}
// Rounded to the 11 bits of an f16, by bits: a compiler may take f32(f16(x)) for x, which leaves nothing for the low half.
fn most_of(x: vec4f) -> vec4f { return bitcast<vec4f>((bitcast<vec4u>(x) + vec4u(0x1000u)) & vec4u(0xffffe000u)); }
// Of a power of two.
fn inverse(power: f32) -> f32 { return bitcast<f32>(0x7f000000u - bitcast<u32>(power)); }
@compute @workgroup_size(${threads}) ${text.attributes(unit)}
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32${text.parameters && `, ${text.parameters}`}) {
  ${text.head(unit)}
  let rowsFirst = P.rowsBefore + group.y * ${left.size}u;
  let columnsFirst = group.x * ${right.size}u;
  let regionRow = subgroup % ${SUBGROUPS.down}u * ${regionRows}u;
  let regionColumn = subgroup / ${SUBGROUPS.down}u * ${regionColumns}u;
  let slabAt = subgroup * ${m * n}u;
  let row = rowsFirst + regionRow + lane / ${n}u;
  let column = columnsFirst + regionColumn + lane % ${n}u;
  let outAt = group.z * P.m * P.outStride + row * P.outStride + P.outColumn + column;
  ${across.map((j) => `let inverse${j} = inverse(columns_powers[min(${column(j)}, P.n - 1u)]);`).join("\n  ")}
  ${matrices.map(({ sums }) => `var ${sums} = Sums();`).join(" ")}
  ${each.map(({ total }) => `var ${total} = 0.0;`).join(" ")}
  if (P.initial != 0u) {
    ${each.map((one) => `if (${one.inside}) { ${one.total} = start(${one.place}, ${column(one.j)}); }`).join("\n    ")}
  }
  // Where K is split, a workgroup takes one block.
  var kNext = select(0u, group.z * P.block, P.splits > 1u);
  let kEnd = select(P.k, min(P.k, kNext + P.block), P.splits > 1u);
  while (kNext < kEnd) {
    let blockEnd = min(kEnd, kNext + P.block);
    while (kNext < blockEnd) {
      ${fills.join("\n      ")}
      workgroupBarrier();
      ${range(depth / k)
        .map((s) => step(s * k))
        .join("\n      ")}
      workgroupBarrier();
      kNext += ${depth}u;
    }
    ${add.join("\n    ")}
  }
  ${each.map((one) => `if (${one.inside}) { out[${one.place}] = ${one.total}; }`).join("\n  ")}
}`,
      };
    },
  );
}

type MatrixKernels = ReturnType<typeof matrixKernels>;
const usual = matrixKernels(subgroupMatrices);

/** Powers of two of the operands' rows: of a's, of b's columns. */
export type OperandPowers = readonly [Tensor, Tensor];

export function operandPowers(device: Device, problem: Problem, temporary: Tensor[]): OperandPowers {
  const { layout, a, b, scales, m, n, k, aColumns } = problem;
  const powers = [
    powersOf(device, {
      ...{ tensor: a, element: "f32", kMajor: layout === "tn", rows: m, depth: k, ...aColumns, uniforms: [] },
    }),
    powersOf(device, {
      ...{ tensor: b, element: elementOf(problem), scales, kMajor: layout !== "nt", rows: n, depth: k, column: 0 },
      ...{ stride: layout === "nt" ? k : n, uniforms: scaleUniformsOf(problem) },
    }),
  ] as const;
  temporary.push(...powers);
  return powers;
}

/** How a product is computed, where not as its shape and the adapter say. */
export interface MatrixVariant {
  readonly kernels?: MatrixKernels;
  readonly unit?: MatrixUnit | null;
  readonly region?: MatrixRegion;
  readonly splits?: number;
  readonly rowsAtOnce?: number;
}

export function dispatchMatrix(
  device: Device,
  problem: Problem,
  powers: OperandPowers,
  variant: MatrixVariant = {},
): void {
  const { layout, m, n } = problem;
  const element = elementOf(problem);
  const { kernels = usual, unit = device.facts.matrices, region = regionOf(element), rowsAtOnce } = variant;
  if (!unit) throw new Error("a device without tensor cores takes no such product");
  const kernel: Kernel = kernels(
    ...([layout, element] as const),
    ...([unit.m, unit.n, unit.k, unit.lanes, unit.isAskedFor] as const),
    ...([region.rows, region.columns, region.depth] as const),
  );
  const tile = { rows: region.rows * SUBGROUPS.down, columns: region.columns * SUBGROUPS.across };
  const tiles = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
  const splits = variant.splits ?? splitsOf(device, problem, tiles, ENOUGH);
  dispatchSplit(device, problem, splits, (part) => {
    const { reads, writes } = bindingsOf(part);
    forRows(device, part, tile.rows, rowsAtOnce, (rowsBefore, rows) =>
      device.dispatch(kernel, {
        ...{ reads: [...reads, ...powers], writes },
        uniforms: [...uniformsOf(part), splits, rowsBefore, ...scaleUniformsOf(part)],
        groups: [Math.ceil(n / tile.columns), Math.ceil(rows / tile.rows), splits],
      }),
    );
  });
}
