// iapo recipes, iapo recipes show
import { recipes } from "@iapo/iapo/recipes";
import { nearest } from "@iapo/run-config";
import { stringify } from "yaml";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { AddCommand } from "./command.ts";

const help = `
A recipe is a whole configuration: run it by its name, or begin a file with \`extends: NAME\`.

Examples:
  $ iapo train nano-lambda-0-5
  $ iapo recipes show nano-grpo > my.yaml    # to change, and run by iapo train my.yaml`;

export const addRecipes: AddCommand = (program, run) => {
  const command = program
    .command("recipes")
    .description("the shipped recipes, by name")
    .addHelpText("after", help)
    .action(() =>
      run(async (io) => {
        const width = Math.max(...[...recipes.keys()].map(({ length }) => length));
        for (const { name, title } of recipes.values()) io.out(`${name.padEnd(width)}  ${title}`);
        return ExitCode.done;
      }),
    );
  command
    .command("show")
    .description("print a recipe as the YAML of a configuration")
    .argument("<name>", "as the list has it")
    .action((name: string) =>
      run(async (io) => {
        const recipe = recipes.get(name);
        if (!recipe) {
          const near = nearest(name, [...recipes.keys()]);
          const hint = near === undefined ? "`iapo recipes` lists them" : `did you mean ${near}?`;
          throw new TrainerError("argument", `there is no recipe ${name}; ${hint}`);
        }
        io.out(`# ${recipe.title} (${recipe.source})\n${stringify(recipe.config).trimEnd()}`);
        return ExitCode.done;
      }),
    );
};
