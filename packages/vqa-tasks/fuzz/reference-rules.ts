/** The rules over values: written a second time, with whole numbers and permutations, and without a line of the package's. */
import type { Value, Written } from "./values.ts";

const magnitude = (amount: bigint): bigint => (amount < 0n ? -amount : amount);

function sameNumber(a: Value, b: Value): boolean {
  return a.kind === "number" && b.kind === "number" && a.amount === b.amount && a.percent === b.percent;
}

/** ChartQA: 5 % of the truth, in twentieths. Undefined at the edge itself, where binary fractions may fall to either side. */
function near(a: bigint, truth: bigint): boolean | undefined {
  const [difference, allowed] = [20n * magnitude(a - truth), magnitude(truth)];
  return difference === allowed && allowed !== 0n ? undefined : difference <= allowed;
}

function relaxedAgree(a: Written, truth: Written): boolean | undefined {
  const [x, y] = [a.value, truth.value];
  if (x.kind === "text" || y.kind === "text") return x.kind === "text" && y.kind === "text" && x.text === y.text;
  if (x.kind === "date" || y.kind === "date") return undefined;
  if (truth.isYear || x.power || y.power || (x.fraction && y.fraction)) return x.amount === y.amount;
  const plain = near(x.amount, y.amount);
  if (plain !== false || x.percent === y.percent) return plain;
  return x.percent ? near(x.amount, 100n * y.amount) : near(100n * x.amount, y.amount);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations(items.filter((_, other) => other !== index)).map((rest) => [item, ...rest]),
  );
}

/** Undefined where the oracle does not decide. */
export function relaxed(answers: readonly Written[], truths: readonly Written[]): boolean | undefined {
  if (answers.length !== truths.length) return false;
  const ways = permutations(answers).map((order) =>
    truths.map((truth, index) => {
      const answer = order[index];
      return answer === undefined ? false : relaxedAgree(answer, truth);
    }),
  );
  if (ways.some((way) => way.every((agrees) => agrees === true))) return true;
  return ways.some((way) => way.every((agrees) => agrees !== false)) ? undefined : false;
}

export function charxiv(answers: readonly Written[], truths: readonly Written[]): boolean {
  const same = ({ value: a }: Written, { value: b }: Written): boolean =>
    sameNumber(a, b) || (a.kind === "text" && b.kind === "text" && a.text === b.text);
  if (answers.length !== truths.length) return false;
  return permutations(answers).some((order) =>
    truths.every((truth, index) => order[index] !== undefined && same(order[index], truth)),
  );
}

/** A fraction may be a score: only the same one is equal. */
const fractionOf = (value: Value): string | undefined => (value.kind === "number" ? value.fraction : undefined);

export function wikiTableQuestions(answers: readonly Written[], truths: readonly Written[]): boolean {
  const same = ({ value: a }: Written, { value: b }: Written): boolean =>
    (fractionOf(a) === fractionOf(b) && sameNumber(a, b)) ||
    (a.kind === "text" && b.kind === "text" && a.bare === b.bare) ||
    (a.kind === "date" && b.kind === "date" && a.day === b.day);
  const covers = (some: readonly Written[], all: readonly Written[]): boolean =>
    all.every((one) => some.some((other) => same(other, one)));
  return covers(answers, truths) && covers(truths, answers);
}
