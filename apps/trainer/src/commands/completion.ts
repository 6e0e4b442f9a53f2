// iapo completion
import { recipes } from "@iapo/iapo/recipes";
import { Argument } from "commander";
import { completionScript, type Shell, shells } from "../completion/scripts.ts";
import { tableOf } from "../completion/table.ts";
import { ExitCode } from "../exit-code.ts";
import type { AddCommand } from "./command.ts";

const help = `
The script knows the commands of this version: write it again after an upgrade.

Where shells look for it (zsh: a folder of $fpath, here ~/.zfunc):
  $ iapo completion bash > ~/.local/share/bash-completion/completions/iapo
  $ iapo completion zsh > ~/.zfunc/_iapo
  $ iapo completion fish > ~/.config/fish/completions/iapo.fish`;

export const addCompletion: AddCommand = (program, run) => {
  program
    .command("completion")
    .description("print a script by which a shell completes commands, options, choices and recipes")
    .addArgument(new Argument("<shell>", "which").choices(shells))
    .addHelpText("after", help)
    .action((shell: Shell) =>
      run(async (io) => {
        const names = [...recipes.keys()];
        const table = tableOf(program, (argument) => (argument.name() === "config" ? names : []));
        io.out(completionScript(shell, program.name(), table));
        return ExitCode.done;
      }),
    );
};
