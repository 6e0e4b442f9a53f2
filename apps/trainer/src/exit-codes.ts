// Exit codes, and errors as messages of one screen.
import { JobsError } from "@iapo/jobs";
import { ConfigError } from "@iapo/run-config";
import { TensorError } from "@iapo/tensor-core";
import { TrainerError } from "./error.ts";

export const ExitCode = { done: 0, failed: 1, usage: 2, noAdapter: 3, busy: 4, interrupted: 130 } as const;

export function exitCodeOf(thrown: unknown): number {
  const error = firstError(thrown);
  if (error instanceof TensorError && error.code === "no_adapter") return ExitCode.noAdapter;
  if (error instanceof ConfigError) return ExitCode.usage;
  if (
    (error instanceof TrainerError || error instanceof JobsError) &&
    (error.code === "config" || error.code === "argument")
  )
    return ExitCode.usage;
  return codeOf(error) === "busy" ? ExitCode.busy : ExitCode.failed;
}

/** The message with its code behind the first line; the stack only where IAPO_DEBUG is set. */
export function explain(thrown: unknown): string {
  const error = firstError(thrown);
  if (!(error instanceof Error)) return `iapo: ${String(error)}`;
  const code = codeOf(error);
  const [first, ...rest] = error.message.split("\n");
  const message = [`iapo: ${first}${code === undefined ? "" : ` (${code})`}`, ...rest].join("\n");
  return process.env.IAPO_DEBUG ? `${message}\n${error.stack}` : message;
}

/** What went wrong before whatever went wrong while things were released. */
function firstError(thrown: unknown): unknown {
  const isSuppressed = thrown instanceof Error && thrown.name === "SuppressedError" && "suppressed" in thrown;
  return isSuppressed ? firstError(thrown.suppressed) : thrown;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
