// Why data that was read cannot be used.
import { z } from "zod";

/** In words: each finding of a schema on a line of its own, else the message of whatever was thrown. */
export function problemOf(thrown: unknown): string {
  if (thrown instanceof z.ZodError) return z.prettifyError(thrown);
  return thrown instanceof Error ? thrown.message : String(thrown);
}
