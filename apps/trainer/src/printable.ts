// Text that others wrote, as a terminal may show it: control characters are commands there.
import { visible } from "@iapo/rollout-trace/text";

/** What steers a terminal, or the direction of its text, as visible signs; newlines and tabs stay. */
export function printable(text: string): string {
  return text.replace(/[^\n\t]+/g, visible);
}
