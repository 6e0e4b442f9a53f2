// "Did you mean": the known word nearest to a misspelled one.

/** Longer words are nobody's misspelling, and comparing them takes their square in time. */
const LONGEST = 80;

/** The nearest of `known` that is no further than a third of the word's letters away, or differs only in case and separators. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined;
  const same = known.find((candidate) => plain(candidate) === plain(word));
  if (same !== undefined) return same;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  let best: string | undefined;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < least) [least, best] = [distance, candidate];
  }
  return best;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, "");
}

/** Letters inserted, deleted, replaced, or swapped with their neighbor (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const at = (row: readonly number[], j: number): number => row[j] ?? Number.POSITIVE_INFINITY;
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = swaps ? at(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(at(last, j) + 1, at(row, j - 1) + 1, replaced, swapped));
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}
