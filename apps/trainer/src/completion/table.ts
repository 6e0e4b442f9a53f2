// The command table as a shell completes it.
import type { Argument, Command, Option } from "commander";

export interface Word {
  readonly text: string;
  readonly description: string;
}

export interface Flag {
  /** As it is written, the long form first. */
  readonly forms: readonly string[];
  readonly description: string;
  /** Absent where it takes no value; empty where any value, most often a path, may stand. */
  readonly values?: readonly string[];
}

export interface Entry {
  /** Words after the program's name: none of the program itself, else such as `data inspect`. */
  readonly path: string;
  readonly subcommands: readonly Word[];
  readonly flags: readonly Flag[];
  /** What may stand in the place of its arguments, beside paths. */
  readonly values: readonly string[];
}

/** Every command, the program first. `valuesOf`: names that an argument takes beside its choices. */
export function tableOf(program: Command, valuesOf: (argument: Argument) => readonly string[]): Entry[] {
  const entriesOf = (command: Command, path: string): Entry[] => {
    const help = command.createHelp();
    const subcommands = help.visibleCommands(command);
    const entry: Entry = {
      path,
      subcommands: subcommands.map((one) => ({ text: one.name(), description: one.description() })),
      flags: help.visibleOptions(command).map(flagOf),
      values: command.registeredArguments.flatMap((one) => [...(one.argChoices ?? []), ...valuesOf(one)]),
    };
    return [entry, ...subcommands.flatMap((one) => entriesOf(one, `${path} ${one.name()}`.trim()))];
  };
  return entriesOf(program, "");
}

function flagOf({ long, short, description, required, optional, argChoices }: Option): Flag {
  const forms = [long, short].filter((form) => form !== undefined && form !== null);
  return { forms, description, ...((required || optional) && { values: argChoices ?? [] }) };
}
