// The packaged fonts: bytes for the rasterizer, and text widths for layout. No system font is ever used, so a picture has
// the same pixels on every machine. The files carry no kerning, so a width is the sum of advances.
// Tables read: OpenType `head`, `hhea`, `hmtx`, `cmap` format 4.
import { readFileSync } from "node:fs";
import { VqaTasksError } from "../error.ts";

export type FontWeight = "regular" | "bold";

export const FONT_FAMILY = "DejaVu Sans Condensed";

type Font = { readonly bytes: Uint8Array; readonly advances: ReadonlyMap<number, number>; readonly unitsPerEm: number };

const files: Readonly<Record<FontWeight, string>> = {
  regular: "DejaVuSansCondensed.ttf",
  bold: "DejaVuSansCondensed-Bold.ttf",
};

const fonts = new Map<FontWeight, Font>();

/** Read when first drawn with. */
function fontOf(weight: FontWeight): Font {
  const known = fonts.get(weight);
  if (known !== undefined) return known;
  const font = readFont(files[weight]);
  fonts.set(weight, font);
  return font;
}

export const fontBytes = (): Uint8Array[] => [fontOf("regular").bytes, fontOf("bold").bytes];

/** Width of a line of text in pixels at a font size in pixels. @throws VqaTasksError `undrawable` */
export function textWidth(text: string, size: number, weight: FontWeight = "regular"): number {
  const font = fontOf(weight);
  let units = 0;
  for (const character of text) {
    const advance = font.advances.get(character.codePointAt(0) ?? 0);
    if (advance === undefined) throw undrawable(text, character);
    units += advance;
  }
  return (units * size) / font.unitsPerEm;
}

const MISSING_GLYPH = "\u25a1";

/**
 * The text as it can be drawn: without characters of no width, and with a box for each that the packaged fonts have no glyph of. Composed first, so
 * that a letter and its accent are one.
 */
export function drawable(text: string): string {
  if (isDrawable(text)) return text;
  const { advances } = fontOf("regular");
  return Array.from(text.normalize("NFC"), (character) => {
    if (/[\p{Cf}\p{Mn}\p{Me}\p{Cs}]/u.test(character)) return "";
    return advances.has(character.codePointAt(0) ?? 0) ? character : MISSING_GLYPH;
  }).join("");
}

/** Whether the packaged fonts have a glyph for every character. */
export function isDrawable(text: string): boolean {
  for (const character of text) if (!fontOf("regular").advances.has(character.codePointAt(0) ?? 0)) return false;
  return true;
}

function undrawable(text: string, character: string): VqaTasksError {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return new VqaTasksError(
    "undrawable",
    `${JSON.stringify(text.slice(0, 80))}: the packaged font has no glyph for U+${code}; leave this text out or replace the character`,
  );
}

function readFont(name: string): Font {
  const bytes = readFileSync(new URL(`../../data/fonts/${name}`, import.meta.url));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<string, number>();
  for (let index = 0; index < view.getUint16(4); index += 1) {
    const entry = 12 + 16 * index;
    tables.set(bytes.toString("latin1", entry, entry + 4), view.getUint32(entry + 8));
  }
  const table = (tag: string): number => {
    const offset = tables.get(tag);
    if (offset === undefined) throw new VqaTasksError("missing_file", `font ${name} has no ${tag} table`);
    return offset;
  };
  const longMetrics = view.getUint16(table("hhea") + 34);
  const advances = new Map<number, number>();
  for (const [code, glyph] of glyphIds(view, table("cmap"))) {
    advances.set(code, view.getUint16(table("hmtx") + 4 * Math.min(glyph, longMetrics - 1)));
  }
  return { bytes, advances, unitsPerEm: view.getUint16(table("head") + 18) };
}

/** Character code and glyph id of every mapped character, from the first format 4 subtable. */
function* glyphIds(view: DataView, cmap: number): Generator<[number, number]> {
  let subtable = -1;
  for (let index = 0; index < view.getUint16(cmap + 2) && subtable < 0; index += 1) {
    const offset = cmap + view.getUint32(cmap + 4 + 8 * index + 4);
    if (view.getUint16(offset) === 4) subtable = offset;
  }
  const doubled = view.getUint16(subtable + 6);
  const ends = subtable + 14;
  const starts = ends + doubled + 2;
  for (let segment = 0; segment < doubled; segment += 2) {
    const first = view.getUint16(starts + segment);
    const last = view.getUint16(ends + segment);
    const delta = view.getUint16(starts + doubled + segment);
    const rangeAt = starts + 2 * doubled + segment;
    const range = view.getUint16(rangeAt);
    for (let code = first; code <= last && code < 0xffff; code += 1) {
      const listed = range === 0 ? code : view.getUint16(rangeAt + range + 2 * (code - first));
      const glyph = listed === 0 ? 0 : (listed + delta) & 0xffff;
      if (glyph !== 0) yield [code, glyph];
    }
  }
}
