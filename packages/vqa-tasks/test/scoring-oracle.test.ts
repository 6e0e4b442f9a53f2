/** Scores and extracted answers equal those of the published codes on every oracle pair. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { extractAnswer } from "../src/scoring/extract.ts";
import { readVerdict } from "../src/scoring/judge-verdict.ts";
import { pythonFloat } from "../src/scoring/python-text.ts";
import { similarity, similarityV1 } from "../src/scoring/similarity.ts";

type Pair = {
  id: number;
  prediction: string;
  ground_truth: string;
  v1_train_extracted_first: string | null;
  v1_train_similarity: number | "nan";
  v1_eval_open_extracted_last: string | null;
  v1_eval_exact_open: boolean;
  v1_eval_terminate_extracted_last: string | null;
  v1_eval_exact_terminate: boolean;
  v2_reward_extracted: string;
  v2_eval_extracted: string;
};
type Oracle = {
  pairs: Pair[];
  v1_judge_reply: { text: string; yes: boolean }[];
  v2_reward_judge_reply: { text: string; score: number }[];
  v2_eval_judge_reply: { text: string; score: number | { exception: string } }[];
  similarity: { a: number; b: number; score: number }[];
  is_number: { text: string; number: boolean }[];
};

const oracle = JSON.parse(readFileSync(new URL("fixtures/answer-scoring.json", import.meta.url), "utf8")) as Oracle;
const words = { yes: "yes", no: "no" };

test.each(oracle.pairs)("pair $id: $prediction", (pair) => {
  const { prediction, ground_truth: truth } = pair;
  const first = extractAnswer(prediction, "vtool_v1");
  expect(first).toBe(pair.v1_train_extracted_first);
  const score = first === null ? 0 : similarityV1(first, truth.split("|||"));
  const expected = pair.v1_train_similarity === "nan" ? Number.NaN : pair.v1_train_similarity;
  if (Number.isNaN(expected)) expect(score).toBeNaN();
  else expect(Math.abs(score - expected)).toBeLessThanOrEqual(1e-12);

  const open = extractAnswer(prediction, "vtool_v1_last");
  expect(open).toBe(pair.v1_eval_open_extracted_last);
  expect(open?.toLowerCase() === truth.toLowerCase()).toBe(pair.v1_eval_exact_open);
  const terminated = extractAnswer(prediction, "vtool_v1_terminate");
  expect(terminated).toBe(pair.v1_eval_terminate_extracted_last);
  expect(terminated?.toLowerCase() === truth.toLowerCase()).toBe(pair.v1_eval_exact_terminate);

  expect(extractAnswer(prediction, "vtool_v2")).toBe(pair.v2_reward_extracted);
  expect(extractAnswer(prediction, "vtool_v2_evaluation")).toBe(pair.v2_eval_extracted);
});

test("judge replies are read as the published codes read them", () => {
  for (const { text, yes } of oracle.v1_judge_reply) expect(readVerdict(text, "vtool_v1", words), text).toBe(yes);
  for (const { text, score } of oracle.v2_reward_judge_reply) {
    expect(readVerdict(text, "vtool_v2", words), text).toBe(score === 1);
  }
  for (const { text, score } of oracle.v2_eval_judge_reply) {
    const expected = typeof score === "number" ? score === 1 : null;
    expect(readVerdict(text, "vtool_v2_evaluation", words), text).toBe(expected);
  }
});

test("similarity and number recognition", () => {
  for (const { a, b, score } of oracle.similarity)
    expect(Math.abs(similarity(a, b) - score)).toBeLessThanOrEqual(1e-12);
  for (const { text, number } of oracle.is_number)
    expect(pythonFloat(text) !== null, JSON.stringify(text)).toBe(number);
});
