// iapo plan

import { openJob } from "@iapo/jobs";
import { InvalidArgumentError } from "commander";
import { plan } from "../plan/plan.ts";
import { type AddCommand, collect } from "./command.ts";

interface Flags {
  readonly set: readonly string[];
  readonly memory?: number;
  readonly probe: boolean;
  readonly card?: boolean;
  readonly json?: boolean;
}

export const addPlan: AddCommand = (program, run) => {
  program
    .command("plan")
    .description("what a run takes of memory and time, whether it fits, and what to change if not")
    .argument("<config>", "a configuration file, a shipped recipe's name, or the directory of a run")
    .option("--set <key=value>", "replace a setting; may be repeated", collect, [])
    .option("--memory <GiB>", "fit into so much, in place of what this adapter has", gibibytes)
    .option("--card", "plan for a graphics card in place of this adapter, on paper only")
    .option("--no-probe", "plan on paper only: make no step for its time")
    .option("--json", "print JSON")
    .action((source: string, { set, memory, probe, card = false, json = false }: Flags) =>
      run(async (io) => plan(openJob(source, { set }), { memory, probe, card, json }, io)),
    );
};

function gibibytes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return value * 2 ** 30;
}
