// Test cases of the divergence of two heads: other widths, ragged and blockwise vocabularies, temperature, banned ids, bf16.
import type { CaseInput, OpCase } from "../define.ts";
import type { DivergenceOptions } from "./params.ts";

interface Sizes {
  readonly rows: number;
  readonly d: number;
  readonly vocabulary: number;
  readonly otherD?: number;
  readonly otherVocabulary?: number;
  readonly bf16?: boolean;
  readonly full?: boolean;
}

function both(
  name: string,
  sizes: Sizes,
  options: Omit<DivergenceOptions, "direction"> = {},
): OpCase<DivergenceOptions>[] {
  const { rows, d, vocabulary, otherD = d, otherVocabulary = vocabulary, bf16 = false, full = false } = sizes;
  const dtype = bf16 ? "bf16" : "f32";
  const inputs: CaseInput[] = [
    { shape: [rows, d] },
    { shape: [vocabulary, d], dtype },
    { shape: [rows, otherD], constant: true },
    { shape: [otherVocabulary, otherD], dtype, constant: true },
  ];
  return (["forward", "reverse"] as const).map((direction) => ({
    name: `${name}, ${direction}`,
    inputs,
    params: { ...options, direction },
    tolerance: 1e-5,
    full,
  }));
}

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

export const divergenceCases: readonly OpCase<DivergenceOptions>[] = [
  ...both("one id", { rows: 1, d: 2, vocabulary: 1 }),
  ...both("small, a wider other head", { rows: 3, d: 4, vocabulary: 5, otherD: 6 }),
  ...both("no rows", { rows: 0, d: 4, vocabulary: 5 }),
  ...both(
    "blocks, ragged, cold, banned",
    { rows: 5, d: 6, vocabulary: 777 },
    { temperature: 0.7, bannedIds: [1, 255, 256, 776] },
  ),
  ...both(
    "an other head with fewer ids",
    { rows: 2, d: 4, vocabulary: 300, otherVocabulary: 250 },
    { bannedIds: ids(250, 300) },
  ),
  ...both("an other head with more ids", { rows: 2, d: 4, vocabulary: 250, otherVocabulary: 300 }),
  ...both("bf16, two slices", { rows: 9, d: 8, vocabulary: 2100, bf16: true }, { temperature: 1.3, bannedIds: [2048] }),
  ...both(
    "a slice that the other head lacks",
    { rows: 2, d: 4, vocabulary: 2100, otherVocabulary: 2000, full: true },
    { bannedIds: ids(2000, 2100) },
  ),
  ...both("two chunks of rows", { rows: 1030, d: 4, vocabulary: 300, full: true }),
  ...both("wide", { rows: 20, d: 64, vocabulary: 5000, full: true }, { temperature: 4 }),
];
