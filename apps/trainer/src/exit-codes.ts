// Exit codes, and errors as messages of one screen.
import { ConfigError } from "@iapo/run-config";
import { TensorError } from "@iapo/tensor-core";
import { TrainerError } from "./error.ts";

export const ExitCode = { done: 0, failed: 1, usage: 2, noAdapter: 3, busy: 4, interrupted: 130 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof TensorError && error.code === "no_adapter") return ExitCode.noAdapter;
  if (error instanceof ConfigError) return ExitCode.usage;
  if (!(error instanceof TrainerError)) return ExitCode.failed;
  if (error.code === "config" || error.code === "argument") return ExitCode.usage;
  return error.code === "busy" ? ExitCode.busy : ExitCode.failed;
}

/** The message with its code behind the first line; the stack only where IAPO_DEBUG is set. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return `iapo: ${String(error)}`;
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const [first, ...rest] = error.message.split("\n");
  const message = [`iapo: ${first}${code}`, ...rest].join("\n");
  return process.env.IAPO_DEBUG ? `${message}\n${error.stack}` : message;
}
