// Python's string, number and name literals.
import { syntaxError, unsupported } from "./fault.ts";

const simpleEscapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\n": "",
};

const escapeSequence = /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([\s\S]))/g;

function resolveEscapes(text: string, at: number): string {
  return text.replaceAll("\r\n", "\n").replace(escapeSequence, (whole, octal, hex2, hex4, hex8, single) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    const hex: string | undefined = hex2 ?? hex4 ?? hex8;
    if (hex !== undefined) {
      const codePoint = Number.parseInt(hex, 16);
      if (codePoint > 0x10ffff) throw syntaxError("a string escape beyond the last Unicode character", at);
      return String.fromCodePoint(codePoint);
    }
    if ("xuU".includes(single)) throw syntaxError("a string escape with too few digits", at);
    if (single === "N") throw unsupported("character by its name", at);
    return simpleEscapes[single] ?? whole;
  });
}

/** The value of a string literal, prefix and quotes included. */
export function stringValue(source: string, at: number): string {
  const parts = /^([A-Za-z]*)("""|'''|"|')([\s\S]*)\2$/.exec(source);
  if (parts === null) throw syntaxError("a string that does not end", at);
  const [, letters = "", , content = ""] = parts;
  const prefix = letters.toLowerCase();
  if (prefix.includes("b")) {
    if (/\P{ASCII}/u.test(content)) throw syntaxError("bytes hold ASCII characters only", at);
    throw unsupported("bytes literal", at);
  }
  return prefix.includes("r") ? content : resolveEscapes(content, at);
}

/** The value of a number literal. */
export function numberValue(source: string, at: number): number {
  if (/[jJ]$/.test(source) && !/^0[xX]/.test(source)) throw unsupported("imaginary number", at);
  const isInteger = /^[\d_]+$/.test(source);
  if (/__|_$|_\.|\._|_[eE]/.test(source) || (isInteger && /^0[0_]*[1-9]/.test(source))) {
    throw syntaxError(`"${source}" is not a number`, at);
  }
  const value = Number(source.replaceAll("_", ""));
  if (Number.isNaN(value)) throw syntaxError(`"${source}" is not a number`, at);
  return value;
}

const identifier = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;

/** A name in the form in which Python compares names. */
export function nameValue(source: string, at: number): string {
  const name = source.normalize("NFKC");
  if (!identifier.test(name)) throw syntaxError("a character that no name may hold", at);
  return name;
}
