/**
 * Answers in many forms against a second implementation of each rule that compares values and never reads a text. Prints a report as JSON, and throws on a
 * finding. Run as `pnpm fuzz answers`.
 */
import fc from "fast-check";
import { extractAnswer } from "../src/scoring/extract.ts";
import { ruleScores, scoringRules } from "../src/scoring/rules.ts";
import { charxiv, relaxed, wikiTableQuestions } from "./reference-rules.ts";
import { character, date, type Written, wrapped, written } from "./values.ts";

const runs = Number(process.argv[2] ?? process.env.IAPO_FUZZ_RUNS ?? 100_000);
const seed = Number(process.argv[3] ?? process.env.IAPO_FUZZ_SEED ?? Date.now() % 1e9);
const start = performance.now();

const counts: Record<string, number> = { right: 0, wrong: 0, undecided: 0, text: 0 };

const joins: readonly ((items: readonly string[]) => string)[] = [
  (items) => items.join("||"),
  (items) => items.join(" ||| "),
  (items) => items.join(", "),
  (items) => items.join("; "),
  (items) => items.join(" and "),
  (items) => JSON.stringify(items),
];

/** Commas and words that stand in an item part nothing. */
function joined(items: readonly Written[], truths: readonly Written[], way: number): string {
  const texts = items.map(({ text }) => text);
  const isPlain = [...texts, ...truths.map(({ text }) => text)].every((text) => !/[,;"\\`]| and /.test(text));
  const join = joins[isPlain && items.length > 1 && truths.length > 1 ? way : way % 2];
  return join?.(texts) ?? "";
}

type Rule = (answers: readonly Written[], truths: readonly Written[]) => boolean | undefined;
const references: readonly (readonly [rule: "relaxed" | "charxiv" | "wikitablequestions", reference: Rule])[] = [
  ["relaxed", relaxed],
  ["charxiv", charxiv],
  ["wikitablequestions", wikiTableQuestions],
];

/** Half of the answers are the truths in other forms, or next to them: random pairs are hardly ever equal. */
const pair = (of: fc.Arbitrary<Written>) =>
  fc
    .tuple(
      fc.array(of, { minLength: 1, maxLength: 3 }),
      fc.array(of, { minLength: 1, maxLength: 3 }),
      fc.nat(5),
      fc.boolean(),
    )
    .map(([truths, others, way, own]) => ({ truths, answers: own ? [...truths].reverse() : others, way }));

function compare(rules: typeof references, of: fc.Arbitrary<Written>, share: number): void {
  fc.assert(
    fc.property(pair(of), ({ truths, answers, way }) => {
      const answer = extractAnswer(`FINAL ANSWER: ${joined(answers, truths, way)}`) ?? "";
      for (const [rule, reference] of rules) {
        const expected = reference(answers, truths);
        const found = ruleScores[rule](
          answer,
          truths.map(({ text }) => text),
        );
        counts[expected === undefined ? "undecided" : expected ? "right" : "wrong"] =
          (counts[expected === undefined ? "undecided" : expected ? "right" : "wrong"] ?? 0) + 1;
        if (expected !== undefined && found !== Number(expected))
          throw new Error(
            `${rule}: ${JSON.stringify(answer)} for ${JSON.stringify(truths.map(({ text }) => text))} is ${found}, not ${Number(expected)}`,
          );
      }
    }),
    { numRuns: Math.ceil(runs * share), seed },
  );
}

compare(references, fc.oneof(written, wrapped(written)), 0.5);
compare(references.slice(2), fc.oneof(wrapped(date), wrapped(written)), 0.2);

/** Whatever the texts are: 0 or 1, and a truth is right for itself. */
fc.assert(
  fc.property(
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.string({ unit: character, maxLength: 40 }),
    (answer, truth) => {
      counts.text = (counts.text ?? 0) + 1;
      for (const rule of scoringRules) {
        const score = ruleScores[rule](answer, [truth]);
        if (score !== 0 && score !== 1) throw new Error(`${rule} gives ${score}`);
        const labels = rule === "tabfact";
        if (!labels && truth.trim() !== "" && !truth.includes("|") && ruleScores[rule](truth, [truth]) !== 1)
          throw new Error(`${rule}: ${JSON.stringify(truth)} is wrong for itself`);
      }
    },
  ),
  { numRuns: Math.ceil(runs * 0.3), seed },
);

console.log(
  JSON.stringify({
    runs,
    seed,
    counts,
    rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
    seconds: Math.round((performance.now() - start) / 1000),
  }),
);
