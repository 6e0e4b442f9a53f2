// The iapo command line: set up, train, evaluate and report.
export { runCli } from "./cli.ts";
export type { CliIo } from "./io.ts";
export { servedRenderer } from "./serve/record.ts";
