// Plain arithmetic in the place of subgroup matrices, for adapters without tensor cores: each lane sums its own elements from the panels.
import type { MatrixUnit } from "../../src/device/matrix-unit.ts";
import type { MatrixText, Panel, Place } from "../../src/ops/matmul/matrix-wgsl.ts";

/** Bounds of loops that a software adapter's compiler does not unroll: K is no less in these tests. */
const loop = (name: string, end: number, body: string): string =>
  `for (var ${name} = 0u; ${name} < min(${end}u, P.k); ${name}++) { ${body} }`;

const reader = ({ name, kMajor, pitch }: Panel, isSplit: boolean): string => {
  const at = `place.at + ${kMajor ? `k * ${pitch}u + i` : `i * ${pitch}u + k`}`;
  const value = isSplit ? `select(${name}_high[at], ${name}_low[at], place.isLow)` : `${name}_high[at]`;
  return `fn ${name}_at(place: Place, i: u32, k: u32) -> f32 { let at = ${at}; return f32(${value}); }`;
};
const placeOf = ({ half, at }: Place): string => `Place(${half === "low"}, ${at})`;
const perLane = ({ m, n, lanes }: MatrixUnit): number => (m * n) / lanes;

export const plainMatrices: MatrixText = {
  extensions: () => ["f16"],
  attributes: () => "",
  parameters: "",
  head: ({ lanes }) => `let subgroup = thread / ${lanes}u; let lane = thread % ${lanes}u; own_lane = lane;`,
  declarations: (unit, [rows, columns], isSplit) => `
struct Place { isLow: bool, at: u32 }
alias Sums = array<f32, ${perLane(unit)}>;
var<private> own_lane: u32;
${reader(rows, true)}
${reader(columns, isSplit)}
fn multiply(left: Place, right: Place, given: Sums) -> Sums {
  var sums = given;
  ${loop(
    "e",
    perLane(unit),
    `let at = own_lane + e * ${unit.lanes}u;
    ${loop("k", unit.k, `sums[e] = fma(rows_at(left, at / ${unit.n}u, k), columns_at(right, at % ${unit.n}u, k), sums[e]);`)}`,
  )}
  return sums;
}`,
  left: placeOf,
  right: placeOf,
  multiply: (left, right, sums) => `multiply(${left}, ${right}, ${sums})`,
  store: (sums, at, unit) => loop("e", perLane(unit), `slab[${at} + lane + e * ${unit.lanes}u] = ${sums}[e];`),
};
