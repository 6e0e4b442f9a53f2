// Which box a name means.
import type { Boxes, NamedBox } from "../boxes.ts";
import type { Scalar } from "../tool.ts";

/** By Python's own comparison: a number is no text, and every code point counts. */
export function boxesByName(boxes: Boxes): (name: Scalar) => NamedBox | undefined {
  const byName = new Map<Scalar, NamedBox>(boxes.map((box) => [box.name, box]));
  return (name) => byName.get(name);
}

/**
 * By the name as it is written, or else by what a reader of the prompt cannot tell from it: another Unicode normalization, runs of white space,
 * characters of no width, kinds of quotes and dashes, a whole number for its digits. A spelling that several boxes share means none of them.
 */
export function boxesBySpelling(boxes: Boxes): (name: Scalar) => NamedBox | undefined {
  const exact = boxesByName(boxes);
  const bySpelling = new Map<string, NamedBox | undefined>();
  for (const box of boxes) {
    const key = spelling(box.name);
    bySpelling.set(key, bySpelling.has(key) ? undefined : box);
  }
  return (name) => {
    if (typeof name === "string") return exact(name) ?? bySpelling.get(spelling(name));
    return typeof name === "number" && Number.isFinite(name) ? bySpelling.get(String(name)) : undefined;
  };
}

function spelling(name: string): string {
  return name
    .normalize("NFC")
    .replace(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, "")
    .replace(/[\u2018\u2019\u02bc]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/\s+/g, " ")
    .trim();
}
