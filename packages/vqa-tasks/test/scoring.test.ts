/** Our own answer extraction and the two local rewards: their rules, and the holes of the published ones closed. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { extractAnswer } from "../src/scoring/extract.ts";
import { exactScore, relaxedScore } from "../src/scoring/relaxed.ts";
import { createScorer } from "../src/scoring/score.ts";

test.each([
  ["FINAL ANSWER: 42. TERMINATE", "42"],
  ["Final Answer: 42", "42"],
  ["**FINAL ANSWER:** 42.", "42"],
  ["FINAL ANSWER: **42**.", "42"],
  ["FINAL ANSWER: U.S. adults. TERMINATE", "U.S. adults"],
  ["FINAL ANSWER: 1\nFINAL ANSWER: 2\nmore text", "2"],
  ['FINAL ANSWER: "Alice"', "Alice"],
  ["FINAL ANSWER:\n 7", "7"],
  ["FINAL ANSWER: 42. That is it", "42. That is it"],
  ["FINAL ANSWER:\n42. That is it", "42. That is it"],
  ["FINAL ANSWER: 0. ||| 0", "0||0"],
  ["FINAL ANSWER: **Red** and **Blue**", "**Red** and **Blue**"],
  ["FINAL ANSWER:", ""],
  ["The answer is 42.", null],
])("final_answer of %j is %j", (response, answer) => {
  expect(extractAnswer(response)).toBe(answer);
});

test.each<[string, string[], 0 | 1]>([
  ["42", ["42"], 1],
  ["41.5", ["42"], 1],
  ["39", ["42"], 0],
  ["2010", ["2011"], 0],
  ["2011.0", ["2011"], 1],
  ["1,234", ["1234"], 1],
  ["$5", ["5"], 1],
  ["69%", ["69"], 1],
  ["3%", ["0.03"], 1],
  ["0.03", ["3%"], 1],
  ["3%", ["0.03%"], 0],
  ["-5", ["5"], 0],
  ["\u22125", ["-5"], 1],
  ["0.01", ["0"], 0],
  ["Alice", ["alice"], 1],
  ["“Alice”", ["Alice"], 1],
  ["B||A", ["A", "B"], 1],
  ["A ||| B", ["A", "B"], 1],
  ["A", ["A", "B"], 0],
  ["5||5||5", ["5"], 0],
  ["104||96", ["100", "105"], 1],
  ["inf", ["7"], 0],
  ["", ["7"], 0],
  ["４２", ["42"], 1],
])("relaxed %j against %j is %d", (answer, truths, score) => {
  expect(relaxedScore(answer, truths)).toBe(score);
});

test("exact allows no tolerance", () => {
  expect(exactScore("Yes.", ["yes"])).toBe(1);
  expect(exactScore("41.5", ["42"])).toBe(0);
});

test("every truth scores 1 against itself, in any order", () => {
  const item = fc
    .string({ unit: "grapheme", minLength: 1 })
    .filter((text) => !text.includes("|") && text.trim() !== "");
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 8 }), (truths) => {
      expect(relaxedScore([...truths].reverse().join("||"), truths)).toBe(1);
    }),
  );
});

test("hostile responses cost linear time and never score", async () => {
  const score = createScorer();
  const task = { question: "?", answers: ["42"] };
  const hostile = [
    "FINAL ANSWER:".repeat(100_000),
    `FINAL ANSWER:${" ".repeat(1_000_000)}\n`,
    `${"FINAL ANSWER: a\n".repeat(50_000)}x`,
    "||".repeat(500_000),
    "\u0000\ud800FINAL ANSWER: \udfff",
  ];
  const start = performance.now();
  for (const response of hostile) {
    expect((await score(task, response)).value).toBe(0);
    for (const reading of ["vtool_v1", "vtool_v1_terminate", "vtool_v2", "vtool_v2_evaluation"] as const) {
      extractAnswer(response, reading);
    }
  }
  expect(performance.now() - start).toBeLessThan(5000);
});

test("similarity_v1 keeps its holes but never returns NaN", async () => {
  const score = createScorer({ scoring: "similarity_v1", extraction: "vtool_v1" });
  expect((await score({ question: "?", answers: ["5"] }, "FINAL ANSWER: 5||5||5. TERMINATE")).value).toBe(3);
  expect((await score({ question: "?", answers: ["7"] }, "FINAL ANSWER: inf. TERMINATE")).value).toBe(0);
});

test("a judge must be given where one is asked for", () => {
  expect(() => createScorer({ scoring: "judge" })).toThrow(/needs a judge/);
});
