// iapo view
import { once } from "node:events";
import { setPriority } from "node:os";
import { setFlagsFromString } from "node:v8";
import { replayRun, type TokenTexts, tokenTextsOf } from "@iapo/jobs";
import { type Helpers, openViewer } from "@iapo/run-view";
import { ExitCode } from "../exit-code.ts";
import { type AddCommand, portNumber } from "./command.ts";

const examples = `
Examples:
  $ iapo view                        all runs below runs/
  $ iapo view runs/a runs/b          these two, side by side
  $ iapo view runs/ablation          a folder of runs, or of folders of runs
  $ iapo view --port 8080            at http://127.0.0.1:8080/ each time
  $ iapo view --host 0.0.0.0         for other machines too, by an address with a token (IAPO_VIEW_TOKEN, else a random one)
  $ ssh -L 8080:127.0.0.1:8080 gpu   better: a tunnel to iapo view --port 8080 on the machine that trains`;

export const addView: AddCommand = (program, run) => {
  program
    .command("view")
    .description("look at runs in a browser, while they train: curves, episodes with their images, steps, comparisons")
    .argument("[paths...]", "runs, evaluations, or folders of them (default: runs)")
    .option("--port <number>", "to listen on (default: one that is free)", portNumber)
    .option("--host <address>", "to listen on; for any but this machine's own, addresses have a token", "127.0.0.1")
    .addHelpText("after", examples)
    .action((paths: string[], { port, host }: { port?: number; host: string }) =>
      run(async (io) => {
        setPriority(10); // training goes first
        setFlagsFromString("--semi-space-growth-factor=1"); // garbage of pages may wait for 128 MB else
        const token = process.env.IAPO_VIEW_TOKEN || undefined;
        const directories = paths.length > 0 ? paths : ["runs"];
        const viewer = await openViewer({ directories, host, port, token, ...helpers });
        io.out(viewer.url);
        io.note(`${viewer.runs} runs found; Ctrl+C ends it`);
        if (!io.signal.aborted) await once(io.signal, "abort");
        await viewer.close();
        return ExitCode.done;
      }),
    );
};

/** A step's own functions are never loaded here: `iapo replay --trust` does that. */
const helpers: Helpers = {
  replay: async (run, step, onCompared) => {
    await replayRun(run, { step, onCompared });
  },
  tokenTexts: latest(tokenTextsOf),
};

/** Keeps the result for the last few runs: a large tokenizer takes a second to load. */
function latest(load: (run: string) => Promise<TokenTexts | undefined>): typeof load {
  const kept = new Map<string, Promise<TokenTexts | undefined>>();
  return (run) => {
    const found = kept.get(run) ?? load(run);
    kept.delete(run);
    kept.set(run, found);
    for (const oldest of kept.keys()) if (kept.size > 2) kept.delete(oldest);
    return found;
  };
}
