// `exact` and `relaxed`. `relaxed` follows ChartQA's relaxed accuracy (5 % on numbers) for sets of answers and closes the holes of the published
// rewards: it is 0 or 1, counts answers, and treats years as names (docs/method.md C.2).
import { hasPerfectMatching, jsonList, splitAnswers } from "./answer-list.ts";
import { normalForm } from "./answer-text.ts";
import { readNumber, sameNumber } from "./numbers.ts";

/** ChartQA's tolerance, relative to the truth. */
const TOLERANCE = 0.05;

/** 1 where the set of answers equals the set of truths as text in normal form, else 0. */
export function exactScore(answer: string, truths: readonly string[]): 0 | 1 {
  return setsEqual(answer, truths, (item, truth) => item === truth);
}

/** As `exactScore`, but numbers may be 5 % off unless the truth is a year (1000 to 2999 without sign or unit), one of them is a power or both are fractions. */
export function relaxedScore(answer: string, truths: readonly string[]): 0 | 1 {
  return setsEqual(answer, truths, (item, truth) => item === truth || numbersAgree(item, truth));
}

function setsEqual(answer: string, truths: readonly string[], agree: (item: string, truth: string) => boolean): 0 | 1 {
  const equal = (items: readonly string[], targets: readonly string[]): boolean =>
    hasPerfectMatching(items.map(normalForm), targets.map(normalForm), agree);
  if (equal(splitAnswers(answer, truths), truths)) return 1;
  // ChartQA writes the answers of one question as "[Red, Blue]".
  const [only, ...others] = truths;
  const listed = only !== undefined && others.length === 0 ? jsonList(only) : undefined;
  return listed !== undefined && listed.length > 1 && equal(splitAnswers(answer, listed), listed) ? 1 : 0;
}

function numbersAgree(item: string, truth: string): boolean {
  const number = readNumber(item);
  const target = readNumber(truth);
  if (number === null || target === null) return false;
  const isYear = /^[12]\d{3}(?:\.0+)?$/.test(truth);
  if (isYear || number.power || target.power || (number.fraction && target.fraction))
    return sameNumber(number.value, target.value);
  if (isClose(number.value, target.value)) return true;
  // "3 %" and "0.03" are one value where only one of them carries the sign.
  if (number.percent === target.percent) return false;
  return number.percent ? isClose(number.value / 100, target.value) : isClose(number.value * 100, target.value);
}

function isClose(value: number, target: number): boolean {
  return Math.abs(value - target) <= TOLERANCE * Math.abs(target);
}
