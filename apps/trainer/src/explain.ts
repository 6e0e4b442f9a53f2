// Errors as exit codes, and as messages of one screen.
import { isInterrupt, JobsError, type JobsErrorCode } from "@iapo/jobs";
import { ConfigError } from "@iapo/run-config";
import { TensorError } from "@iapo/tensor-core";
import { TrainerError } from "./error.ts";
import { ExitCode } from "./exit-code.ts";

export { isInterrupt };

const usage: ReadonlySet<string> = new Set(["config", "argument", "untrusted"]);

/** The options by which the command line does what an error of a job advises. */
const options: Partial<Record<JobsErrorCode, string>> = {
  exists: "--out",
  run_exists: "--resume, --out",
  untrusted: "--trust",
};

export function exitCodeOf(thrown: unknown): number {
  const error = firstError(thrown);
  if (error instanceof TensorError && error.code === "no_adapter") return ExitCode.noAdapter;
  if (error instanceof ConfigError) return ExitCode.usage;
  if ((error instanceof TrainerError || error instanceof JobsError) && usage.has(error.code)) return ExitCode.usage;
  return codeOf(error) === "busy" ? ExitCode.busy : ExitCode.failed;
}

/** The message with its code behind the first line; the stack only where IAPO_DEBUG is set. */
export function explain(thrown: unknown): string {
  const error = firstError(thrown);
  if (!(error instanceof Error)) return `iapo: ${String(error)}`;
  const code = codeOf(error);
  const [first, ...rest] = error.message.split("\n");
  const option = error instanceof JobsError ? options[error.code] : undefined;
  const known = [code, option].filter((one) => one !== undefined).join(": ");
  const head = `iapo: ${first}${known && ` (${known})`}`;
  const message = [head, ...rest].join("\n");
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
