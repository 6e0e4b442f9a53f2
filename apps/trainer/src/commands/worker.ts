// iapo worker
import { type Role, roles } from "@iapo/jobs";
import { InvalidArgumentError } from "commander";
import { runWorker, type WorkerFlags } from "../fleet/work.ts";
import { type AddCommand, collect } from "./command.ts";

export const addWorker: AddCommand = (program, run) => {
  program
    .command("worker")
    .description("do units of work of a run that another process trains: rollouts, explanations, gradients")
    .requiredOption(
      "--server <where>",
      "such as nats://127.0.0.1:4222; or parent, for the process that has started this one",
    )
    .option("--run <name>", "the run's name on the server", word)
    .option("--roles <list>", `what it does, with commas between; default all of ${roles.join(", ")}`, readRoles)
    .option("--set <key=value>", "in place of the learner's setting, such as model.directory=/data/model", collect, [])
    .option("--trust", "load the modules of tools and functions that the run's configuration names")
    .option("--name <word>", "what it is called; default the host's name and a number", word)
    .action((flags: WorkerFlags) => run((io) => runWorker(flags, io)));
};

/** Reads a name. */
export function word(text: string): string {
  if (!/^[\w-]{1,64}$/.test(text)) throw new InvalidArgumentError("It must be a word of letters, digits, - and _.");
  return text;
}

function readRoles(text: string): Role[] {
  return text.split(",").map((name) => {
    const found = roles.find((role) => role === name.trim());
    if (!found) throw new InvalidArgumentError(`${name} is none of ${roles.join(", ")}.`);
    return found;
  });
}
