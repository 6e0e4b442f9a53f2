#!/usr/bin/env node
// The binary. An interrupt lets the command end in order; a second one ends the process at once.
import { runCli } from "./cli.ts";

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  signal: interrupted.signal,
});
