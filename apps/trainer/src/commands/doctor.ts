// iapo doctor
import { doctor } from "../doctor/doctor.ts";
import type { AddCommand } from "./command.ts";

export const addDoctor: AddCommand = (program, run) => {
  program
    .command("doctor")
    .description("show the adapter, its limits, features and memory, and what will not work here")
    .option("--json", "print JSON")
    .option("--kernels", "list the pipelines of a training step and how long each compiles")
    .action((options: { json?: true; kernels?: true }) => run((io) => doctor(options, io)));
};
