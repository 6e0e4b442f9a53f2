// Foreign text made harmless and visible, and numbers as people read them.

const invisible = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/gu;

/**
 * Control characters, what reorders or breaks lines, and what no document may hold, as visible signs: no escape sequence, no forged line.
 * A line feed is shown as an arrow.
 */
export function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.codePointAt(0)!;
    if (character === "\n") return "↵";
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? "␡" : "\ufffd";
  });
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Visible text for an element or a quoted attribute of HTML or XML. */
export function markup(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

/** At most `length` characters, the last an ellipsis where some are left out. */
export function shortened(text: string, length: number): string {
  const characters = [...text.slice(0, 4 * length)];
  return characters.length > length ? `${characters.slice(0, length - 1).join("")}…` : characters.join("");
}

/** Three digits, with a sign. */
export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Number(Math.abs(value).toPrecision(3))}`;
}
