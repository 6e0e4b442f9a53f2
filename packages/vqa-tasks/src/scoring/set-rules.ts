// The scoring rules of the published sets but ChartQA's. All count exactly: no number may be off (docs/method.md E.3).
import { hasPerfectMatching, splitAnswers } from "./answer-list.ts";
import { normalForm } from "./answer-text.ts";
import { readDate } from "./dates.ts";
import { readNumber } from "./numbers.ts";

/** An answer as a rule sees it: equal keys are equal answers. */
type Key = (text: string) => string;

function keyOfNumber(text: string, withFractions: boolean): string | undefined {
  const number = readNumber(text);
  if (number === null || (number.fraction && !withFractions)) return undefined;
  // -0 is 0, and 0.1 + 0.2 is 0.3.
  return `number ${Number((number.value === 0 ? 0 : number.value).toPrecision(12))}${number.percent ? " %" : ""}`;
}

/**
 * WikiTableQuestions: case, accents, citations, details in parentheses and quotation marks do not count; numbers and dates count by value; several
 * answers are a set, so that an answer given twice counts once.
 */
export function wikiTableQuestionsScore(answer: string, truths: readonly string[]): 0 | 1 {
  const targets = new Set(truths.map(wikiKey));
  const items = new Set(splitAnswers(answer, truths).map(wikiKey));
  return targets.size === items.size && [...targets].every((target) => items.has(target)) ? 1 : 0;
}

const wikiKey: Key = (text) => {
  const form = wikiForm(text);
  // The canonical form of a year alone; 2/4 may be a score.
  const number = keyOfNumber(form.replace(/^(\d{4})-xx-xx$/, "$1"), false);
  const date = readDate(form);
  return number ?? (date === null ? `text ${form}` : `date ${date}`);
};

function wikiForm(text: string): string {
  let form = normalForm(text)
    .normalize("NFKD")
    .replace(/\p{Mn}/gu, "")
    .replaceAll("`", "'");
  for (let round = 0; round < 8; round += 1) {
    const next = normalForm(withoutDetails(form));
    if (next === form || next === "") break;
    form = next;
  }
  return form;
}

/** Without one citation `[1]`, mark such as †, or detail in parentheses at the end. */
function withoutDetails(text: string): string {
  const marked = text.replace(/[\u2022\u2666\u2020\u2021*#+]$/, "").trim();
  const close = marked.at(-1);
  if (close !== ")" && close !== "]") return marked;
  const open = marked.lastIndexOf(close === ")" ? " (" : "[");
  const inner = marked.slice(open + 1, -1);
  if (open <= 0 || inner.includes(close)) return marked;
  return marked.slice(0, open).trim();
}

/** CharXiv: numbers by value, `Not Applicable` in its usual spellings, else the text. */
export function charxivScore(answer: string, truths: readonly string[]): 0 | 1 {
  const items = splitAnswers(answer, truths).map(charxivKey);
  return hasPerfectMatching(items, truths.map(charxivKey), (item, truth) => item === truth) ? 1 : 0;
}

const charxivKey: Key = (text) => {
  const form = normalForm(text);
  if (/^(?:n ?\/ ?a|n\.a|not applicable|none applicable)$/.test(form)) return "not applicable";
  return keyOfNumber(form, true) ?? `text ${form.replace(/ ?, ?(?:and )?/g, ", ")}`;
};

/** TabFact and VTabFact: exactly one of true and false is said, not denied and not asked. */
export function tabFactScore(answer: string, truths: readonly string[]): 0 | 1 {
  const label = labelOf(answer);
  return label !== undefined && truths.length === 1 && labelOf(truths[0] ?? "") === label ? 1 : 0;
}

function labelOf(text: string): boolean | undefined {
  const form = normalForm(text);
  if (form === "yes" || form === "1") return true;
  if (form === "no" || form === "0") return false;
  const words: readonly string[] = form.slice(0, 1024).match(/[\p{L}\p{N}]+/gu) ?? [];
  const said = new Set(words.filter((word) => word === "true" || word === "false"));
  const [only] = said;
  if (said.size !== 1 || only === undefined || form.includes("?")) return undefined;
  const isDenied = words.slice(0, words.indexOf(only)).some((word) => denials.has(word));
  return isDenied ? undefined : only === "true";
}

/** `t` is what is left of isn't. */
const denials: ReadonlySet<string> = new Set(
  "no not never neither nor none t cannot hardly barely far longer falsely incorrect wrong partly half".split(" "),
);

const fintabUnits =
  /\b(?:dollars?|gallons?|square feet|shares?|mbtus?|mbpd|mbbls|mmbtus?|units?|gwh|years?|mmcf|miles?|mboe)\b/g;

/** FinTabNetQA: by value with words of scale, its units and brackets left out. A number without its scale is another number. */
export function finTabNetQaScore(answer: string, truths: readonly string[]): 0 | 1 {
  const items = splitAnswers(answer, truths).map(finTabNetQaKey);
  return hasPerfectMatching(items, truths.map(finTabNetQaKey), (item, truth) => item === truth) ? 1 : 0;
}

const finTabNetQaKey: Key = (text) => {
  const form = normalForm(text);
  const bare = normalForm(form.replace(/[()]/g, "").replace(fintabUnits, "").replace(/\s+/g, " "));
  const number = readNumber(bare);
  if (number === null || number.fraction) return `text ${bare}`;
  return `number ${Number((number.percent ? number.value / 100 : number.value).toPrecision(12))}`;
};
