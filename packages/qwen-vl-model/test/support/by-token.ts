/** The oracle's positions `[3, tokens]` as ours, `[tokens, 3]`. */
export function byToken(positions: Int32Array): Int32Array {
  const count = positions.length / 3;
  return positions.map((_, i) => positions[(i % 3) * count + Math.floor(i / 3)]!);
}
