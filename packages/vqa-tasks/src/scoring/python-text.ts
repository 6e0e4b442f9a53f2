// The corners of Python's text handling that the two published VTool-R1 reward functions rest on: which characters
// count as white space, and which strings `float()` accepts. Needed for parity with their scores only.
const NUMBER =
  /^[+-]?(?:inf(?:inity)?|nan|(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?)$/i;

/** `str.isspace()` of one character: JavaScript's white space without the byte order mark, and five control characters. */
export function isPythonSpace(text: string, index: number): boolean {
  const character = text.charAt(index);
  if (character === "" || character === "\ufeff") return false;
  return /\s/.test(character) || "\u001c\u001d\u001e\u001f\u0085".includes(character);
}

/** `str.strip()`. */
export function pythonStrip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPythonSpace(text, start)) start += 1;
  while (end > start && isPythonSpace(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

/** `float(text)`, or null where Python raises: it takes "1_000", " 4 ", "inf", "nan" and any script's digits. */
export function pythonFloat(text: string): number | null {
  const plain = pythonStrip(text).replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)));
  if (!NUMBER.test(plain)) return null;
  const magnitude = plain.replace(/^[+-]/, "").toLowerCase();
  const sign = plain.startsWith("-") ? -1 : 1;
  if (magnitude.startsWith("inf")) return sign * Number.POSITIVE_INFINITY;
  if (magnitude === "nan") return Number.NaN;
  return sign * Number(magnitude.replaceAll("_", ""));
}

/** Unicode lists the ten digits of a script in a row, so a digit's value is its distance from the row's start. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let first = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (code - first) % 10;
}
