// Fisher and Yates' shuffle, from a counter-based generator: the same seed gives the same order.
import { randomWords, type Seed } from "@iapo/tensor-core";
import { at } from "../math/batch.ts";

export function shuffled<T>(items: readonly T[], seed: Seed): T[] {
  const order = [...items];
  const words = randomWords(order.length, seed);
  for (let i = order.length - 1; i > 0; i--) {
    const j = at(words, i) % (i + 1);
    [order[i], order[j]] = [at(order, j), at(order, i)];
  }
  return order;
}
