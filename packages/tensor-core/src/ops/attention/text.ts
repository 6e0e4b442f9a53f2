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
