// What LaTeX and Unicode write in two ways, as one: powers, indices, fractions, roots, letters and signs.
const greek =
  "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega";
const signs =
  "le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ~ pm ± infty ∞ times × cdot × to → rightarrow → degree ° partial ∂ nabla ∇";
const functions = "log ln exp sin cos tan max min lim";

const meanings: ReadonlyMap<string, string> = new Map([
  ...greek.split(" ").map((name, index) => [name, String.fromCodePoint(0x3b1 + index + (index > 16 ? 1 : 0))] as const),
  ...[...signs.matchAll(/([a-z]+) (\S)/g)].map(([, name = "", sign = ""]) => [name, sign] as const),
  ...functions.split(" ").map((name) => [name, name] as const),
  ...["left", "right", "displaystyle"].map((name) => [name, ""] as const),
]);

/** Fonts do not count. */
const font =
  /\\(?:text|textbf|textit|mathrm|mathbf|mathit|mathcal|mathbb|mathsf|operatorname|boldsymbol|bm|rm|bf)\{([^{}]{0,256})\}/g;
const fraction = /(\d?)\\[dt]?frac\{([^{}]{1,64})\}\{([^{}]{1,64})\}/g;

/** LaTeX as Unicode writes it. Unknown commands stay as they are. */
export function withoutLatex(text: string): string {
  if (!text.includes("\\")) return text;
  return text
    .replace(font, "$1")
    .replace(fraction, (_, before: string, over: string, under: string) => {
      return `${before === "" ? "" : `${before} `}${grouped(over)}/${grouped(under)}`;
    })
    .replace(/\\sqrt\{([^{}]{1,64})\}/g, (_, inner: string) => `√${grouped(inner)}`)
    .replace(/\^\{?\\circ\}?/g, "°")
    .replace(/\\([%$#&_{}])/g, "$1")
    .replace(/\\[,;: ]/g, " ")
    .replace(/\\([a-z]+)/g, (whole, name: string) => meanings.get(name) ?? whole);
}

/** 4 and x stand for themselves, x+1 in parentheses: (x+1)/2 is not x+1/2. */
const grouped = (part: string): string => (/^[\p{L}\p{N}.]+$/u.test(part.trim()) ? part.trim() : `(${part.trim()})`);

const raised = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ";
const asRaised = "0123456789+-ni";

/**
 * Raised characters as `^2` and lowered ones as `_2`, which NFKC would make digits like others: 10² and 10₂ are not 102. A number below a letter is
 * written without a mark too: x₁ is x_1 and x1.
 */
export function withMarks(text: string): string {
  return text
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ]+/g, (run) => {
      const plain = Array.from(run, (one) => asRaised.charAt(raised.indexOf(one))).join("");
      return `^${plain.replace(/^\+/, "")}`;
    })
    .replace(/[₀-₉₊₋ₐ-ₜᵢ-ᵥⱼ]+/g, (run) => `_${run.normalize("NFKC")}`)
    .replace(/([\^_])\{([^{}]{0,32})\}/g, "$1$2")
    .replace(/\^\(([-+]?[\p{L}\p{N}.]{1,32})\)/gu, "^$1")
    .replace(/(?<=\p{L})_(?=\p{Nd})/gu, "")
    .replace(/(?<=\d)\*\*(?=[-+]?\d)/g, "^");
}
