/** Answers as values, and the forms in which people and models write them: an oracle that compares values and never reads a text. */
import fc from "fast-check";

/** Any code point, lone surrogates too. fast-check's own unit takes seconds to be made. */
export const character: fc.Arbitrary<string> = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

/** `amount` counts in millionths, so that every comparison is one of whole numbers. */
export type Value =
  | {
      readonly kind: "number";
      readonly amount: bigint;
      readonly percent: boolean;
      readonly power: boolean;
      readonly fraction?: string;
    }
  | { readonly kind: "text"; readonly text: string; readonly bare: string }
  | { readonly kind: "date"; readonly day: string };

/** `isYear`: written as four digits and nothing else, from 1000 to 2999. */
export type Written = { readonly value: Value; readonly text: string; readonly isYear: boolean };

const unit = 1_000_000n;

const grouped = (digits: string, mark: string): string => digits.replace(/\B(?=(?:\d{3})+$)/g, mark);

const number: fc.Arbitrary<Written> = fc
  .record({
    whole: fc.oneof(fc.nat(99), fc.nat(2999), fc.nat(9_999_999)),
    decimals: fc.constantFrom("", "", "5", "25", "125", "50"),
    negative: fc.boolean(),
    percent: fc.constantFrom("", "", "", "%", " %", " percent", " per cent"),
    mark: fc.constantFrom("", "", ",", " ", "\u202f", "\u00a0", "'"),
    money: fc.constantFrom("", "", "", "$", "€", "US$", "behind"),
  })
  .map(({ whole, decimals, negative, percent, mark, money }) => {
    const amount = BigInt(whole) * unit + BigInt(decimals.padEnd(6, "0"));
    const digits = grouped(String(whole), mark) + (decimals === "" ? "" : `.${decimals}`);
    const coin = percent === "" ? money : "";
    const sign = negative ? "-" : "";
    const text = coin === "behind" ? `${sign}${digits} €` : `${sign}${coin}${digits}${percent}`;
    const value: Value = { kind: "number", amount: negative ? -amount : amount, percent: percent !== "", power: false };
    return { value, text, isYear: /^[12]\d{3}$/.test(text) };
  });

const raised = (digits: string): string => digits.replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(digit)));
const power: fc.Arbitrary<Written> = fc
  .record({ base: fc.integer({ min: 2, max: 12 }), exponent: fc.integer({ min: 2, max: 5 }), form: fc.nat(4) })
  .map(({ base, exponent, form }) => {
    const forms = [
      `${base}^${exponent}`,
      `${base}^{${exponent}}`,
      `$${base}^{${exponent}}$`,
      `${base}${raised(String(exponent))}`,
      `${base}**${exponent}`,
    ];
    const amount = BigInt(base) ** BigInt(exponent) * unit;
    return { value: { kind: "number", amount, percent: false, power: true }, text: forms[form] ?? "", isYear: false };
  });

/** Of denominators whose parts are whole millionths. */
const fraction: fc.Arbitrary<Written> = fc
  .record({
    whole: fc.nat(3),
    over: fc.integer({ min: 1, max: 20 }),
    under: fc.constantFrom(2, 4, 5, 8),
    form: fc.nat(3),
  })
  .map(({ whole, over, under, form }) => {
    const [plain, before] = [`${over}/${under}`, whole === 0 ? "" : `${whole} `];
    const forms = [plain, plain, `\\frac{${over}}{${under}}`, `$\\dfrac{${over}}{${under}}$`];
    const amount = BigInt(whole) * unit + (BigInt(over) * unit) / BigInt(under);
    const value: Value = { kind: "number", amount, percent: false, power: false, fraction: `${before}${plain}` };
    const text = forms[form] ?? "";
    return { value, text: text.startsWith("$") ? `$${before}${text.slice(1)}` : `${before}${text}`, isYear: false };
  });

/** A letter with an index, in the ways in which it is lowered. */
const index: fc.Arbitrary<Written> = fc
  .record({ letter: fc.constantFrom("x", "k", "θ"), number: fc.nat(40), form: fc.nat(4) })
  .map(({ letter, number, form }) => {
    const lowered = String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉".charAt(Number(digit)));
    const forms = [`${letter}${lowered}`, `${letter}_${number}`, `${letter}_{${number}}`, `$${letter}_{${number}}$`];
    const text = `${letter}${number}`;
    return { value: { kind: "text", text, bare: text }, text: forms[form] ?? text, isYear: false };
  });

const words = ["red", "blue", "peru", "côte d'ivoire", "são paulo", "o'brien", "x-ray", "co₂", "łódź", "n", "α"];
const text: fc.Arbitrary<Written> = fc
  .record({ words: fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 2 }), form: fc.nat(4) })
  .map(({ words: chosen, form }) => {
    const plain = chosen.join(" ").replace("₂", "2");
    const bare = plain.normalize("NFKD").replace(/\p{Mn}/gu, "");
    const written = chosen.join(form === 4 ? "  " : " ");
    const forms = [
      written,
      written.toUpperCase(),
      written.normalize("NFD"),
      written.replaceAll("'", "\u2019"),
      written,
    ];
    return { value: { kind: "text", text: plain, bare }, text: forms[form] ?? "", isYear: false };
  });

const months = "January February March April May June July August September October November December".split(" ");
export const date: fc.Arbitrary<Written> = fc
  .record({
    year: fc.integer({ min: 1900, max: 2030 }),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 28 }),
    form: fc.nat(3),
  })
  .map(({ year, month, day, form }) => {
    const name = months[month - 1] ?? "";
    const iso = `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
    const forms = [iso, `${name} ${day}, ${year}`, `${day} ${name} ${year}`, `${name.slice(0, 3)} ${day}, ${year}`];
    return { value: { kind: "date", day: iso }, text: forms[form] ?? "", isYear: false };
  });

export const written = fc.oneof({ weight: 4, arbitrary: number }, power, fraction, index, {
  weight: 2,
  arbitrary: text,
});

/** What stands around an answer. */
export const wrapped = (of: fc.Arbitrary<Written>): fc.Arbitrary<Written> =>
  fc
    .tuple(
      of,
      fc.constantFrom(
        "%s",
        "%s",
        "%s",
        '"%s"',
        "**%s**",
        "`%s`",
        "\\boxed{%s}",
        "\\text{%s}",
        "<answer>%s</answer>",
        "%s.",
        " %s ",
        "\u201c%s\u201d",
      ),
    )
    .map(([one, form]) => ({
      ...one,
      text: (one.text.includes("*") && form.includes("*") ? "%s" : form).replace("%s", () => one.text),
      isYear: one.isYear,
    }));
