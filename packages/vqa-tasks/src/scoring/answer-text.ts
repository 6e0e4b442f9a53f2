// One spelling for one meaning: what people and models put around an answer, and the characters that have several forms.
import { withMarks, withoutLatex } from "./latex.ts";

/** Longer texts are no answers; what is beyond is not looked at, so every rule is bounded. */
const LONGEST_ANSWER = 4096;
const MOST_LAYERS = 8;

/** Each takes off one layer that encloses the whole text. Linear: the text is read from both ends. */
const wrappers: readonly (readonly [open: string, close: string])[] = [
  ["$$", "$$"],
  ["$", "$"],
  ["\\(", "\\)"],
  ["\\[", "\\]"],
  ["\\boxed{", "}"],
  ["\\fbox{", "}"],
  ["\\text{", "}"],
  ["\\textbf{", "}"],
  ["\\textit{", "}"],
  ["\\mathrm{", "}"],
  ["\\mathbf{", "}"],
  ["<answer>", "</answer>"],
  ["<b>", "</b>"],
  ["<strong>", "</strong>"],
  ["**", "**"],
  ["__", "__"],
  ["*", "*"],
  ["_", "_"],
  ["`", "`"],
  ['"', '"'],
  ["'", "'"],
  ["\u201c", "\u201d"],
  ["\u2018", "\u2019"],
];

/** The answer without quotes, emphasis, LaTeX or tags around it, and without one closing mark of a sentence. */
export function undecorated(text: string): string {
  let bare = text.slice(0, LONGEST_ANSWER).trim();
  for (let layer = 0; layer < MOST_LAYERS; layer += 1) {
    const next = withoutLayer(bare.replace(/(?<=[^.])[.,;!]$/, ""));
    if (next === bare) break;
    bare = next;
  }
  return bare;
}

function withoutLayer(text: string): string {
  const lower = text.toLowerCase();
  for (const [open, close] of wrappers) {
    if (lower.length <= open.length + close.length || !lower.startsWith(open) || !lower.endsWith(close)) continue;
    const inner = text.slice(open.length, -close.length);
    if (isWhole(inner, open, close)) return inner.trim();
  }
  return text;
}

/** `{1}, {2}` is no text inside of one pair of braces, and `$1 and $2` none inside of dollar signs. */
function isWhole(inner: string, open: string, close: string): boolean {
  if (close !== "}") return inner.trim() !== "" && !inner.includes(close) && !inner.includes(open);
  let depth = 0;
  for (const character of inner) {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0 && inner.trim() !== "";
}

/**
 * The form in which texts are compared: decoration off, LaTeX as Unicode, NFKC with powers and indices kept, lower case, single blanks and none
 * around signs of relations, one kind of dash, quote and multiplication sign, digits of any script as ASCII. Idempotent.
 */
export function normalForm(text: string): string {
  let form = text.slice(0, LONGEST_ANSWER);
  for (let round = 0; round < 4; round += 1) {
    const next = undecorated(folded(form));
    if (next === form) break;
    form = next;
  }
  return form;
}

function folded(text: string): string {
  return withMarks(withoutLatex(text))
    .replace(/(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])/g, " ")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, "")
    .replace(/\p{Nd}/gu, asciiDigit)
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u2018\u2019\u02bc\u00b4]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/\u2044/g, "/")
    .replace(/\s+/g, " ")
    .replace(/ ?([=<>\u2264\u2265\u2248\u2260\u00b1\u00d7^]) ?/g, "$1")
    .trim();
}

/** Unicode lists the ten digits of a script in a row that starts at a multiple of ten from its zero. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0;
  if (code < 0x80) return digit;
  let first = code;
  while (code - first < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return String(code - first);
}
