// "Did you mean": the known word nearest to a misspelled one.

/** The nearest of `known` that is no further than a third of the word's letters away, or differs only in case and separators. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const same = known.find((candidate) => plain(candidate) === plain(word));
  if (same !== undefined) return same;
  const limit = Math.max(1, Math.floor(word.length / 3));
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }));
  const best = ranked.reduce<(typeof ranked)[number] | undefined>(
    (least, one) => (one.distance < (least?.distance ?? limit + 1) ? one : least),
    undefined,
  );
  return best?.candidate;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, "");
}

/** Letters inserted, deleted, replaced, or swapped with their neighbor (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, replaced);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
