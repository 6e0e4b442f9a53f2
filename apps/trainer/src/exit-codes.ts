// Exit codes, and errors as messages of one screen.
import { TensorError } from "@iapo/tensor-core";

export const ExitCode = { done: 0, failed: 1, usage: 2, noAdapter: 3, interrupted: 130 } as const;

export function exitCodeOf(error: unknown): number {
  return error instanceof TensorError && error.code === "no_adapter" ? ExitCode.noAdapter : ExitCode.failed;
}

/** The message with its code; the stack only where IAPO_DEBUG is set. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return `iapo: ${String(error)}`;
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const message = `iapo: ${error.message}${code}`;
  return process.env.IAPO_DEBUG ? `${message}\n${error.stack}` : message;
}
