// Bounds the time of what a checkpoint's files decide: the loops of a template, the pattern of a tokenizer.
import { createContext, Script } from "node:vm";
import { QwenVLError, type QwenVLErrorCode } from "../error.ts";

const context = createContext({ work: (): void => {} });
// Node ends every function, whatever made it, that runs within a script past its time; regular expressions too.
const script = new Script("work()");

/**
 * The result of `work`, which must not call this function again.
 * @throws QwenVLError of `code` after `milliseconds`, and what `work` throws
 */
export function withDeadline<T>(milliseconds: number, code: QwenVLErrorCode, what: string, work: () => T): T {
  const results: T[] = [];
  context.work = () => results.push(work());
  try {
    script.runInContext(context, { timeout: milliseconds });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
    throw new QwenVLError(code, `${what} takes longer than ${milliseconds / 1000} s`, { cause });
  }
  const [result] = results as [T];
  return result;
}
