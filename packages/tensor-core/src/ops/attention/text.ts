// Repeats a piece of kernel text, so that register tiles can be written as a rule.

/** `piece(0)` to `piece(count - 1)`, a line each. */
export function times(count: number, piece: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join("\n");
}
