// Writes register tiles as a rule.

/** `piece(0)` to `piece(count - 1)`, a line each. */
export function times(count: number, piece: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join("\n");
}

/** Adds the products of two vec4 to an accumulator, one after the other. */
export function dot4(sum: string, a: string, b: string): string {
  return `${sum} = fma(${a}.w, ${b}.w, fma(${a}.z, ${b}.z, fma(${a}.y, ${b}.y, fma(${a}.x, ${b}.x, ${sum}))));`;
}

/** Registers of a tile for software adapters. */
export interface SoftwareShape {
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** The tile's rows are this many times the lanes. */
  readonly groups: number;
  /** vec4 columns of the result that a lane holds. */
  readonly columns: number;
}

/** Hands row `row` of a tile, which a lane holds in `name<group>`, to all lanes. */
export function broadcastRow(name: string, row: number, { lanes }: SoftwareShape, field = ""): string {
  return `subgroupBroadcast(${name}${Math.floor(row / lanes)}${field}, ${row % lanes}u)`;
}

/** Start of a forward kernel for software adapters: its tile of at most `rows` rows, its range of keys, and the lane's part of the results. */
export function softwareForwardStart(lanes: number, rows: number, columns: number): string {
  return `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) own: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = vec3u(own.x + P.groupsBefore, own.yz);
  let tile = queryTile(group.x / P.splits, group.y, ${rows}u);
  if (tile.count == 0u) { return; }
  let s = tile.segment;
  let range = blocksOf(group.x, visibleToPair(tile, tile.count - 1u));
${times(columns, (c) => `  let column${c} = min(lane + ${c * lanes}u, P.dim4 - 1u);`)}
${times(rows, (i) => times(columns, (c) => `  var o${i}_${c} = vec4f();`))}`;
}
