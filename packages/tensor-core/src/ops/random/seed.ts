// Seeds by purpose: every random number is a pure function of (run seed, purpose, step, task, sample, ...).
import { at } from "../../checked.ts";
import { TensorError } from "../../error.ts";
import { philox, type Seed } from "./philox.ts";

/** What a seed is derived from: whole numbers (up to 2^53) and text. */
export type SeedPart = number | string;

const NUMBER_TAG = 1;
const TEXT_TAG = 2;

/**
 * A seed from a list of parts, such as `deriveSeed(runSeed, "rollout", step, task, sample)`. Each part is hashed with its type and
 * length through Philox, so `("a", "b")` and `("ab")`, or `1` and `"1"`, give unrelated seeds. Not for secrets.
 * Throws `argument` for a number that is not a whole number of at least 0.
 */
export function deriveSeed(...parts: readonly SeedPart[]): Seed {
  let key: Seed = [0, 0];
  for (const part of parts) key = typeof part === "number" ? absorbNumber(key, part) : absorbText(key, part);
  return key;
}

function absorbNumber(key: Seed, value: number): Seed {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new TensorError("argument", `a seed is made of text and whole numbers of at least 0, not ${value}`);
  return absorb(key, [NUMBER_TAG, value >>> 0, Math.floor(value / 2 ** 32), 0]);
}

function absorbText(key: Seed, text: string): Seed {
  const bytes = new TextEncoder().encode(text);
  const words = new Uint32Array(Math.ceil(bytes.length / 16) * 4);
  for (const [i, byte] of bytes.entries()) words[i >>> 2] = at(words, i >>> 2) | (byte << ((i & 3) * 8));
  let state = absorb(key, [TEXT_TAG, bytes.length, 0, 0]);
  for (let i = 0; i < words.length; i += 4) {
    state = absorb(state, [at(words, i), at(words, i + 1), at(words, i + 2), at(words, i + 3)]);
  }
  return state;
}

function absorb(key: Seed, block: readonly [number, number, number, number]): Seed {
  const [first, second] = philox(block, key);
  return [first, second];
}
