// Numbers as answers write them. Every pattern is anchored and has no nested repetition over the same characters.
export interface AnswerNumber {
  readonly value: number;
  readonly percent: boolean;
  /** Written as a power such as 10^2: near numbers are other numbers. */
  readonly power: boolean;
  /** Written as 1/2 or 4 1/2, which may be a score or a date as well. */
  readonly fraction: boolean;
}

const currency = "(?:(?:us|ca|au|hk|nz|a|c|s)?\\$|[\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd])";
const before = new RegExp(`^([+-]?)\\s?${currency}\\s?([+-]?)`);
const behind = new RegExp(`\\s?${currency}$`);
/** Groups of thousands by commas (also 12,34,567), blanks or apostrophes; a fraction; an exponent. */
const plain =
  /^[+-]?(?:\d{1,3}(?:,\d{2,3})*,\d{3}|\d{1,3}(?: \d{3})+|\d{1,3}(?:'\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d{1,3})?$/;
const power = /^([+-]?)(?:(\d+(?:\.\d+)?) ?[\u00d7x*\u00b7] ?)?(\d{1,4})\^([+-]?\d{1,3})$/;
const quotient = /^([+-]?)(?:(\d{1,9}) )?(\d{1,9})\/(\d{1,9})$/;
const scales: Readonly<Record<string, number>> = { thousand: 1e3, million: 1e6, billion: 1e9, trillion: 1e12 };
const scaled = /^(.*\d) ?(thousand|million|billion|trillion)$/;

/**
 * The number that a text in normal form is as a whole, or null: `1,234`, `1 234`, `-$3.5`, `42 %`, `42 percent`, `3.5 million`, `10^2`, `1.5 x 10^3`,
 * `4 1/2`.
 */
export function readNumber(text: string): AnswerNumber | null {
  if (text.length > 64) return null;
  const bare = text.replace(before, "$1$2").replace(behind, "").trim();
  const sign = /^(.*\d\.?) ?(?:%|percent|per cent|pct)$/.exec(bare);
  const digits = sign?.[1] ?? bare;
  const value = magnitude(digits);
  return value === null || !Number.isFinite(value)
    ? null
    : { value, percent: sign !== null, power: digits.includes("^"), fraction: digits.includes("/") };
}

function magnitude(text: string): number | null {
  const scale = scaled.exec(text);
  if (scale) {
    const [, digits = "", word = ""] = scale;
    const value = magnitude(digits);
    const factor = scales[word];
    return value === null || factor === undefined ? null : value * factor;
  }
  const raised = power.exec(text);
  if (raised) {
    const [, sign, factor = "1", base, exponent] = raised;
    return (sign === "-" ? -1 : 1) * Number(factor) * Number(base) ** Number(exponent);
  }
  const parts = quotient.exec(text);
  if (parts) {
    const [, sign, whole = "0", over, under] = parts;
    return (sign === "-" ? -1 : 1) * (Number(whole) + Number(over) / Number(under));
  }
  if (!/\d/.test(text) || !plain.test(text)) return null;
  return Number(text.replace(/[, ']/g, ""));
}

/** Equal but for the rounding of decimal fractions. */
export function sameNumber(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}
