/** Each set's own rule, forms in which models write answers, and that a tolerance never lets one answer stand for two. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { ruleOf, ruleScores, type ScoringRule } from "../src/scoring/rules.ts";
import { createScorer } from "../src/scoring/score.ts";

type Case = [want: 0 | 1, rule: ScoringRule, answer: string, truth: string, ...more: string[]];

const cases: readonly Case[] = [
  // Several answers.
  [1, "relaxed", '"Red" || "Blue"', "Red", "Blue"],
  [1, "relaxed", "**Red** || **Blue**", "Red", "Blue"],
  [1, "relaxed", "`Red` || `Blue`", "Red", "Blue"],
  [1, "relaxed", "Red, Blue", "Red", "Blue"],
  [1, "relaxed", "Red, Green and Blue", "Red", "Blue", "Green"],
  [1, "relaxed", "Red, Green, and Blue", "Red", "Blue", "Green"],
  [1, "relaxed", "Red|Blue", "Red", "Blue"],
  [1, "relaxed", "Red; Blue", "Red", "Blue"],
  [1, "relaxed", '["Red", "Blue"]', "Red", "Blue"],
  [1, "relaxed", "Red, Blue", "[Red, Blue]"],
  [1, "relaxed", "[Blue, Red]", "[Red, Blue]"],
  [1, "relaxed", "22, 33", "[22, 33]"],
  [1, "relaxed", "1,234 and 5", "1234", "5"],
  [1, "relaxed", "(Red, Blue)", "Red", "Blue"],
  [1, "relaxed", "Red，Blue", "Red", "Blue"],
  [1, "relaxed", "Red；Blue", "Red", "Blue"],
  [1, "relaxed", "Red、Blue", "Red", "Blue"],
  [1, "relaxed", "(a, b)", "(a", "b)"],
  [0, "relaxed", "Red, Blue", "Red"],
  [0, "relaxed", "Red and Blue and Green", "Red", "Blue"],
  [0, "relaxed", "Smith, John and Doe, Jane", "Smith, John", "Doe, Jane"],
  [1, "relaxed", "Smith, John || Doe, Jane", "Smith, John", "Doe, Jane"],
  // Powers.
  [0, "relaxed", "102", "10²"],
  [0, "relaxed", "10²", "102"],
  [1, "relaxed", "10^2", "10²"],
  [1, "relaxed", "100", "10²"],
  [1, "relaxed", "$10^{2}$", "10^2"],
  [1, "charxiv", "10**2", "10²"],
  [1, "charxiv", "$10^{-3}$", "10⁻³"],
  [0, "charxiv", "10-3", "10⁻³"],
  [0, "wikitablequestions", "102", "10²"],
  [1, "charxiv", "1.5 × 10^3", "1500"],
  [0, "relaxed", "51/2", "5½"],
  [1, "relaxed", "10 ^ 2", "10²"],
  [1, "relaxed", "10^(2)", "10²"],
  [1, "charxiv", "x^n", "xⁿ"],
  // Indices, which are no digits either.
  [0, "charxiv", "10₂", "102"],
  [0, "charxiv", "102", "10₂"],
  [1, "charxiv", "x_1", "x₁"],
  [1, "charxiv", "$x_{12}$", "x₁₂"],
  [1, "charxiv", "x_i", "xᵢ"],
  [1, "charxiv", "H2O", "H₂O"],
  [1, "charxiv", "$\\theta_1$", "θ₁"],
  [1, "charxiv", "$\\log_{10}(x)$", "log₁₀(x)"],
  // Fractions: equal by value where a number is meant, near ones are others.
  [1, "relaxed", "1/2", "0.5"],
  [1, "relaxed", "\\frac{1}{2}", "½"],
  [1, "relaxed", "4\\frac{1}{2}", "4.5"],
  [0, "relaxed", "41/2", "4½"],
  [0, "relaxed", "10/19", "1/2"],
  [1, "relaxed", "1/3", "0.33"],
  [0, "relaxed", "1/0", "0"],
  [1, "charxiv", "\\dfrac{3}{4}", "0.75"],
  [0, "charxiv", "\\frac{x+1}{2}", "x+1/2"],
  [0, "wikitablequestions", "2/4", "1/2"],
  [0, "wikitablequestions", "0.5", "1/2"],
  [1, "wikitablequestions", "1/2", "1/2"],
  // Other signs of LaTeX.
  [1, "charxiv", "$\\leq 5$", "≤ 5"],
  [1, "charxiv", "\\pm5", "± 5"],
  [1, "charxiv", "\\sqrt{2}", "√2"],
  [1, "charxiv", "90^\\circ", "90°"],
  [1, "charxiv", "$\\lambda = 0.5$", "λ=0.5"],
  [1, "charxiv", "$\\mathcal{L}$", "L"],
  // LaTeX, tags, emphasis.
  [1, "relaxed", "\\boxed{42}", "42"],
  [1, "relaxed", "$42$", "42"],
  [1, "relaxed", "\\(42\\%\\)", "42%"],
  [1, "relaxed", "\\text{Peru}", "Peru"],
  [1, "relaxed", "\\boxed{\\text{Peru}}", "Peru"],
  [1, "relaxed", "<answer>42</answer>", "42"],
  [1, "relaxed", "__Red__", "Red"],
  [1, "charxiv", "$\\alpha$", "α"],
  [1, "charxiv", "\\alpha", "$\\alpha$"],
  // Numbers.
  [1, "relaxed", "42 percent", "42%"],
  [1, "relaxed", "42 per cent", "42"],
  [1, "relaxed", "1 234 567", "1234567"],
  [1, "relaxed", "1\u202f234", "1234"],
  [1, "relaxed", "1\u00a0234", "1234"],
  [1, "relaxed", "12,34,567", "1234567"],
  [1, "relaxed", "1'234", "1234"],
  [1, "relaxed", "42€", "42"],
  [1, "relaxed", "US$42", "42"],
  [1, "relaxed", "-$42", "-42"],
  [1, "relaxed", "42,", "42"],
  [1, "relaxed", "42;", "42"],
  [1, "relaxed", "Yes!", "Yes"],
  [0, "relaxed", "2011", "2010.0"],
  [1, "relaxed", "3.5 million", "3500000"],
  [0, "relaxed", "3.5 million", "3.5"],
  [1, "relaxed", "٤٢", "42"],
  [0, "relaxed", "1490", "1500"],
  [0, "relaxed", "40 to 44", "42"],
  [0, "relaxed", "40 or 42", "42"],
  [0, "relaxed", "40, 41, 42", "42"],
  // WikiTableQuestions.
  [0, "wikitablequestions", "24", "25"],
  [1, "wikitablequestions", "25.0", "25"],
  [1, "wikitablequestions", "3683", "3,683"],
  [1, "wikitablequestions", "Cote d'Ivoire", "Côte d’Ivoire"],
  [1, "wikitablequestions", "Brazil", "Brazil (BR)"],
  [1, "wikitablequestions", "Brazil", "Brazil[1]"],
  [1, "wikitablequestions", "Brazil†", "Brazil"],
  [1, "wikitablequestions", "5", "5", "5"],
  [0, "wikitablequestions", "5||6", "5", "5"],
  [1, "wikitablequestions", "3 May 1990", "May 3, 1990"],
  [1, "wikitablequestions", "1990-05-03", "May 3, 1990"],
  [0, "wikitablequestions", "May 4, 1990", "May 3, 1990"],
  [1, "wikitablequestions", "1990", "1990-xx-xx"],
  [1, "wikitablequestions", "Ann Low|Bo Hay", "Bo Hay", "Ann Low"],
  // CharXiv.
  [0, "charxiv", "24", "25"],
  [1, "charxiv", "0.30", "0.3"],
  [1, "charxiv", "N/A", "Not Applicable"],
  [1, "charxiv", "Off,BitCom,SemCom", "Off, BitCom, SemCom"],
  [0, "charxiv", "BitCom, Off, SemCom", "Off, BitCom, SemCom"],
  // TabFact.
  [1, "tabfact", "True", "true"],
  [1, "tabfact", "yes", "true"],
  [1, "tabfact", "The statement is false.", "false"],
  [0, "tabfact", "true or false", "true"],
  [0, "tabfact", "not true", "true"],
  [0, "tabfact", "It isn't true", "true"],
  [1, "tabfact", "True, as Peru did not win", "true"],
  [0, "tabfact", "maybe", "false"],
  [0, "tabfact", "It cannot be true", "true"],
  [0, "tabfact", "no longer true", "true"],
  [0, "tabfact", "far from true", "true"],
  [0, "tabfact", "falsely true", "true"],
  [0, "tabfact", "true? no", "true"],
  [0, "tabfact", "untrue", "true"],
  [1, "tabfact", "It is true and correct.", "true"],
  // FinTabNetQA.
  [1, "fintabnetqa", "$1.2 million", "1,200,000 dollars"],
  [0, "fintabnetqa", "1.2", "1.2 million"],
  [1, "fintabnetqa", "(12)", "12"],
  [1, "fintabnetqa", "12 %", "0.12"],
];

test.each<Case>(cases)("%d by %s: %j for %j", (want, rule, answer, ...truths) => {
  expect(ruleScores[rule](answer, truths)).toBe(want);
});

test.each([
  "FINAL ANSWER : 42",
  "FINAL ANSWER：42",
  "### Final Answer\n42",
  "**Final Answer**\n\n42",
  "The final answer is 42",
  "<b>FINAL ANSWER:</b> 42",
  "FINAL ANSWER (in millions): 42",
  "\\boxed{42}",
  "so \\boxed{\\text{42}} it is",
  "FINAL ANSWER: 42\n\nFINAL ANSWER:",
  "FINAL ANSWER: 41\nFINAL ANSWER: 42",
  "FINAL ANSWER: 42\nThe final answer is the bar of Peru",
])("the answer of %j is found", async (response) => {
  expect((await createScorer()({ question: "?", answers: ["42"] }, response)).value).toBe(1);
});

test("a list by lines is several answers", async () => {
  const score = createScorer();
  const task = { question: "?", answers: ["Red", "Blue"] };
  for (const response of ["FINAL ANSWER:\n- Red\n- Blue", "FINAL ANSWER:\n1. Blue\n2. Red\n\nThat is all."])
    expect((await score(task, response)).value, response).toBe(1);
  expect((await score(task, "FINAL ANSWER:\n- Red\n- Blue\n- Green")).value).toBe(0);
});

test("the set of a task chooses the rule, a setting stands above it, and the result names it", async () => {
  const task = { question: "?", answers: ["25"] };
  const by = async (source: string, scoring?: ScoringRule) => {
    const { value, rule } = await createScorer(scoring && { scoring })({ ...task, source }, "FINAL ANSWER: 24.5");
    return [rule, value];
  };
  expect(await by("chartqa_h_bar")).toEqual(["relaxed", 1]);
  for (const source of ["vwtq", "vwtq_syn", "vwtq-rendered", "wikitablequestions-rendered"])
    expect(await by(source)).toEqual(["wikitablequestions", 0]);
  expect(await by("charxiv_reasoning")).toEqual(["charxiv", 0]);
  expect(await by("vwtq", "relaxed")).toEqual(["relaxed", 1]);
  expect(["vtabfact", "tabfact-rendered", "fintabnetqa", "mine", undefined].map(ruleOf)).toEqual([
    ...["tabfact", "tabfact", "fintabnetqa", "relaxed", "relaxed"],
  ]);
});

const word = fc.constantFrom(
  "Red",
  "Côte",
  "10²",
  "10^2",
  "102",
  "$5$",
  "5",
  "5%",
  "0.05",
  "1,234",
  "1 234",
  "1/2",
  "2/4",
  "0.5",
  "\\frac{1}{2}",
  "x₁",
  "x_1",
  "x1",
  "10₂",
  "a=b",
  "(a)",
  "N/A",
);
const dressed = fc.tuple(
  word,
  fc.constantFrom("%s", "$%s$", '"%s"', "\\boxed{%s}", "%s.", "%s (x)", "%s%", "%s [1]", "**%s**", "-%s"),
);
const short = fc.oneof(
  dressed.map(([text, form]) => form.replace("%s", () => text)),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => String(Math.round(value * 100) / 100)),
  fc
    .date({ noInvalidDate: true, min: new Date("1900-01-01"), max: new Date("2100-01-01") })
    .map((day) => day.toISOString().slice(0, 10)),
  fc.string({ maxLength: 8 }).filter((text) => /[^|\s]/.test(text) && !text.includes("|")),
);

test.each(["exact", "wikitablequestions", "charxiv", "tabfact", "fintabnetqa"] as const)(
  "%s: an answer that is right for two truths says that they are one",
  (rule) => {
    const score = ruleScores[rule];
    fc.assert(
      fc.property(short, short, short, (answer, a, b) => {
        if (score(answer, [a]) === 1 && score(answer, [b]) === 1) expect([a, b, score(a, [b])]).toEqual([a, b, 1]);
      }),
      { numRuns: process.env.IAPO_FULL ? 100_000 : 5000 },
    );
  },
);

test("relaxed: numbers that one answer is right for are as near as two tolerances, or hundredths of one another", () => {
  const decimal = fc
    .tuple(fc.double({ min: 0.01, max: 1e5, noNaN: true }), fc.constantFrom("", "%"))
    .map(([value, sign]) => ({
      value: Number(value.toPrecision(4)),
      text: `${Number(value.toPrecision(4))}${sign}`,
    }));
  const fraction = fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }))
    .map(([over, under]) => ({ value: over / under, text: `${over}/${under}` }));
  const number = fc.oneof({ weight: 3, arbitrary: decimal }, fraction);
  const near = (a: number, b: number): boolean => Math.max(a, b) / Math.min(a, b) <= 1.05 / 0.95 + 1e-9;
  fc.assert(
    fc.property(number, number, number, (answer, a, b) => {
      if (ruleScores.relaxed(answer.text, [a.text]) === 0 || ruleScores.relaxed(answer.text, [b.text]) === 0) return;
      expect(near(a.value, b.value) || near(100 * a.value, b.value) || near(a.value, 100 * b.value)).toBe(true);
    }),
    { numRuns: 5000 },
  );
});
