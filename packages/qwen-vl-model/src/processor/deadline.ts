// Bounds the time of what a checkpoint's files decide: the loops of a template, the pattern of a tokenizer.
import { createContext, Script } from "node:vm";
import { QwenVLError, type QwenVLErrorCode } from "../error.ts";

const context = createContext({ work: (): void => {} });
// Node ends every function, whatever made it, that runs within a script past its time; regular expressions too.
const script = new Script("work()");

/** Of work that hardly ran in its time: an overloaded machine, or one that slept, stands still for longer than that. */
const TRIES = 3;

/**
 * The result of `work`, which must not call this function again, and which is begun anew where it was late without having had the processor.
 * @throws QwenVLError of `code` after `milliseconds` in which it ran, and what `work` throws
 */
export function withDeadline<T>(milliseconds: number, code: QwenVLErrorCode, what: string, work: () => T): T {
  for (let tries = 1; ; tries++) {
    const before = processorTime();
    const results: T[] = [];
    context.work = () => results.push(work());
    try {
      script.runInContext(context, { timeout: milliseconds });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
      if (tries < TRIES && processorTime() - before < milliseconds / 4) continue;
      throw new QwenVLError(code, `${what} takes longer than ${milliseconds / 1000} s`, { cause });
    }
    const [result] = results as [T];
    return result;
  }
}

/** Milliseconds that this thread has run; before Node 23.9, which cannot tell, the whole process. */
function processorTime(): number {
  const { user, system } =
    "threadCpuUsage" in process ? process.threadCpuUsage() : (process as NodeJS.Process).cpuUsage();
  return (user + system) / 1000;
}
