// A part in a process of its own, with a deadline: a driver that hangs or takes its process down ends that part alone.
import { spawn } from "node:child_process";

/** How a process ended. */
export type Outcome =
  | { readonly state: "done"; readonly seconds: number; readonly output: string }
  | { readonly state: "failed" | "timed out"; readonly seconds: number; readonly reason: string };

/** Characters of a process's output that are kept: results are far shorter, and a stranger's driver may write without end. */
const MOST_OUTPUT = 4 << 20;
const KEPT_ERRORS = 4000;

/** Runs Node with `args` for at most `seconds`. What it wrote to standard output is its result. @throws the reason of the signal */
export async function runWithDeadline(args: readonly string[], seconds: number, signal: AbortSignal): Promise<Outcome> {
  signal.throwIfAborted();
  const start = performance.now();
  const ended = await new Promise<{ code: number | null; by: NodeJS.Signals | null; late: boolean; said: Said }>(
    (resolve, reject) => {
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
      const said: Said = { out: "", errors: "" };
      let late = false;
      const stop = (): void => void child.kill("SIGKILL"); // a hanging driver hears nothing else
      const timer = setTimeout(() => {
        late = true;
        stop();
      }, 1000 * seconds);
      signal.addEventListener("abort", stop, { once: true });
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said.out += text;
        if (said.out.length > MOST_OUTPUT) stop();
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said.errors = (said.errors + text).slice(-KEPT_ERRORS);
      });
      child.on("error", reject);
      child.on("close", (code, by) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        resolve({ code, by, late, said });
      });
    },
  );
  signal.throwIfAborted();
  const took = (performance.now() - start) / 1000;
  const { code, by, late, said } = ended;
  if (late) return { state: "timed out", seconds: took, reason: `it was ended after ${seconds.toFixed(0)} s` };
  if (code === 0) return { state: "done", seconds: took, output: said.out };
  const lines = said.errors.trim().split("\n");
  const told = lines.find((line) => /Error: /.test(line)) ?? lines.at(-1);
  const how = by ?? `exit code ${code}`;
  return { state: "failed", seconds: took, reason: `its process ended by ${how}${told ? `: ${told}` : ""}` };
}

interface Said {
  out: string;
  errors: string;
}
