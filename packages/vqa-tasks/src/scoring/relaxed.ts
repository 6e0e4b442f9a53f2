/**
 * The two local outcome rewards. `relaxed` follows ChartQA's relaxed accuracy (5 % on numbers) for sets of answers and
 * closes the holes of the published rewards: it is 0 or 1, counts answers, and treats years as names (method.md C.2).
 */

/** ChartQA's tolerance, relative to the truth. */
const TOLERANCE = 0.05;
/** More answers than this are no answer; also bounds the matching below. */
const MOST_ANSWERS = 64;
const PLAIN_NUMBER = /^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d{1,3})?$/;

/** 1 where the set of answers (parted by `||` or `|||`) equals the set of truths as text in normal form, else 0. */
export function exactScore(answer: string, truths: readonly string[]): 0 | 1 {
  return setsEqual(answer, truths, (item, truth) => item === truth);
}

/** As `exactScore`, but numbers may be 5 % off unless the truth is a year (1000 to 2999 without sign or unit). */
export function relaxedScore(answer: string, truths: readonly string[]): 0 | 1 {
  return setsEqual(answer, truths, (item, truth) => item === truth || numbersAgree(item, truth));
}

function setsEqual(answer: string, truths: readonly string[], agree: (item: string, truth: string) => boolean): 0 | 1 {
  const items = splitAnswers(answer).map(normalForm);
  const targets = truths.map(normalForm);
  if (items.length !== targets.length || items.length > MOST_ANSWERS) return 0;
  return hasPerfectMatching(items, targets, agree) ? 1 : 0;
}

function splitAnswers(answer: string): string[] {
  const items = answer.split(/\|\|\|?/, MOST_ANSWERS + 1).map((item) => item.trim());
  return items.length > 1 ? items.filter((item) => item !== "") : items;
}

/** One spelling for one meaning: NFKC, lower case, single blanks, ASCII minus, no closing full stop, no quotes around. */
function normalForm(text: string): string {
  const folded = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\.$/, "");
  return /^(["'`])(.*)\1$/.exec(folded)?.[2]?.trim() ?? folded;
}

function numbersAgree(item: string, truth: string): boolean {
  const value = readNumber(item);
  const target = readNumber(truth);
  if (value === null || target === null) return false;
  if (/^[12]\d{3}$/.test(truth)) return value.number === target.number;
  if (isClose(value.number, target.number)) return true;
  // "3 %" and "0.03" are one value where only one of them carries the sign.
  if (value.percent === target.percent) return false;
  return value.percent ? isClose(value.number / 100, target.number) : isClose(value.number * 100, target.number);
}

function isClose(value: number, target: number): boolean {
  return Math.abs(value - target) <= TOLERANCE * Math.abs(target);
}

function readNumber(text: string): { number: number; percent: boolean } | null {
  const bare = text.replace(/^([+-]?)\s*[$\u20ac\u00a3\u00a5]\s*/, "$1").trim();
  const percent = bare.endsWith("%");
  const digits = (percent ? bare.slice(0, -1) : bare).trim();
  if (!/\d/.test(digits) || !PLAIN_NUMBER.test(digits)) return null;
  return { number: Number(digits.replaceAll(",", "")), percent };
}

/** Kuhn's augmenting paths: can every item be paired with a truth of its own? */
function hasPerfectMatching(
  items: readonly string[],
  truths: readonly string[],
  agree: (item: string, truth: string) => boolean,
): boolean {
  const takenBy = new Map<number, number>();
  const place = (item: number, tried: Set<number>): boolean =>
    truths.some((truth, index) => {
      if (tried.has(index) || !agree(items[item] ?? "", truth)) return false;
      tried.add(index);
      const holder = takenBy.get(index);
      if (holder !== undefined && !place(holder, tried)) return false;
      takenBy.set(index, item);
      return true;
    });
  return items.every((_, item) => place(item, new Set()));
}
