// iapo plan

import { openJob } from "@iapo/jobs";
import type { AdapterFlags } from "../choose-adapter.ts";
import { plan } from "../plan/plan.ts";
import { type AddCommand, collect } from "./command.ts";

interface Flags {
  readonly set: readonly string[];
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
    .option("--card", "plan for a graphics card in place of this adapter, on paper only")
    .option("--no-probe", "plan on paper only: make no step for its time")
    .option("--json", "print JSON")
    .addHelpText("after", "\n--memory <GiB>, as for every command: fit into so much, in place of what this adapter has")
    .action((source: string, { set, probe, card = false, json = false }: Flags) =>
      run(async (io) => {
        const { memory } = program.opts<AdapterFlags>();
        return plan(openJob(source, { set }), { memory, probe, card, json }, io);
      }),
    );
};
