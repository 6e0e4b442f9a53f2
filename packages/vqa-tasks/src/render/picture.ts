// What a renderer returns: pixels, and boxes that hold exactly what belongs to each name.
import type { RawImage } from "@iapo/rollout-trace";
import type { Boxes } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";

export type Picture = { readonly image: RawImage; readonly columns: Boxes; readonly rows: Boxes };

/** Both published processors shrink anything larger (method.md B.2), so a larger picture would only lose its text. */
const MOST_PIXELS = 4_194_304;

/** @throws VqaTasksError `too_large` where the picture would pass 4,194,304 pixels. */
export function checkSize(width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new VqaTasksError(
    "too_large",
    `the picture would be ${width} x ${height} pixels, more than ${MOST_PIXELS}; take fewer rows or a smaller font`,
  );
}

/**
 * Names made unique, since tools address boxes by name: the second "Total" becomes "Total (2)". What has no name is called by its place.
 *
 * @param kind what the names are of: the third of `column` without a name is "column 3"
 */
export function uniqueNames(names: readonly string[], kind: "column" | "row"): string[] {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  return names.map((given, index) => {
    const name = given.trim() === "" ? `${kind} ${index + 1}` : given;
    let unique = name;
    for (let count = counts.get(name) ?? 2; taken.has(unique); count += 1) {
      unique = `${name} (${count})`;
      counts.set(name, count + 1);
    }
    taken.add(unique);
    return unique;
  });
}
