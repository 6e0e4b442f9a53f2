// iapo serve
import { shippedModels } from "@iapo/jobs";
import { type AddCommand, collect, portNumber } from "./command.ts";

const help = `
Answers GET /v1/models and POST /v1/chat/completions as OpenAI's API does: pictures as data URLs, n, seed, stop, streaming, logprobs, top_logprobs; and
as vLLM does: top_k, return_token_ids. Log-probs are those at the request's temperature, without truncation. What it does not do it refuses by name.
Requests are answered one after the other.

Examples:
  $ iapo serve models/after                                at http://127.0.0.1 and a free port
  $ iapo serve models/3b --adapter-dir adapters/charts     requests choose by the directories' names
  $ iapo serve nano-student --record runs/served           each answer as a trace with its exact tokens
  $ iapo serve models/after --host 0.0.0.0 --port 8000     for other machines, with a key (IAPO_SERVE_TOKEN, else a random one)`;

export const addServe: AddCommand = (program, run) => {
  program
    .command("serve")
    .description("a model behind an OpenAI-compatible address, for any agent")
    .argument("<model>", "its directory, or the name of a shipped one")
    .option("--adapter-dir <directory>", "a PEFT adapter of it, by its own name; may be repeated", collect, [])
    .option("--port <number>", "to listen on (default: one that is free)", portNumber)
    .option("--host <address>", "to listen on; for any but this machine's own, requests need a key", "127.0.0.1")
    .option("--record <directory>", "keep each answer there as a trace, for verifyTrace")
    .addHelpText("after", help)
    .action(
      (
        model: string,
        { adapterDir, ...given }: { adapterDir: string[]; port?: number; host: string; record?: string },
      ) =>
        run(async (io) => {
          const { serveModel } = await import("../serve/serve.ts");
          const { port, host, record } = given;
          const directory = shippedModels.get(model) ?? model;
          const token = process.env.IAPO_SERVE_TOKEN || undefined;
          return serveModel({ directory, adapters: adapterDir, host, port, record, token }, io);
        }),
    );
};
