/** What a renderer returns: pixels, and boxes that hold exactly what belongs to each name. */

import type { Boxes, RawImage } from "@iapo/rollout-trace";
import { VqaTasksError } from "../error.ts";

export type Picture = { readonly image: RawImage; readonly columns: Boxes; readonly rows: Boxes };

/** Both published processors shrink anything larger (method.md B.2), so a larger picture would only lose its text. */
const MOST_PIXELS = 4_194_304;

/** @throws VqaTasksError `undrawable` where the picture would pass 4,194,304 pixels. */
export function checkSize(width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new VqaTasksError(
    "undrawable",
    `the picture would be ${width} x ${height} pixels, more than ${MOST_PIXELS}; take fewer rows or a smaller font`,
  );
}

/** Names made unique, since tools address boxes by name: the second "Total" becomes "Total (2)". */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 2; taken.has(unique); count += 1) unique = `${name} (${count})`;
    taken.add(unique);
    return unique;
  });
}
