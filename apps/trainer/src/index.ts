/** The iapo command line: see main.ts for the binary; `runCli` is it as a function. */
export { type CliIo, runCli } from "./cli.ts";
