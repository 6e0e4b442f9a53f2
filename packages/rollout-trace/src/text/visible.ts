// Foreign text made visible: what would steer a terminal, reorder a line or forge one is shown as a sign.

const invisible = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/gu;

/**
 * Control characters, what reorders or breaks lines, and what no document may hold, as visible signs: no escape sequence, no forged line.
 * A line feed is shown as an arrow.
 */
export function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === "\n") return "↵";
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? "␡" : "\ufffd";
  });
}
