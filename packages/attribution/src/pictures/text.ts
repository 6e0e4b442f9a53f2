// Foreign text made harmless for pictures, and numbers as people read them.
import { escapeText, visible } from "@iapo/rollout-trace/text";

/** Visible text for an element or a quoted attribute of HTML or XML. */
export function markup(text: string): string {
  return escapeText(visible(text));
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
