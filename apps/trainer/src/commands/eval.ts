// iapo eval

import { shippedModels } from "@iapo/jobs";
import { nearest } from "@iapo/run-config";
import { dataFormats } from "@iapo/vqa-tasks/loaders";
import { endpointProblem } from "@iapo/vqa-tasks/scoring";
import { type SetName, setNames, testSetNames } from "@iapo/vqa-tasks/sources";
import { type Command, InvalidArgumentError, Option } from "commander";
import { TrainerError } from "../error.ts";
import type { EvalOptions } from "../eval/eval.ts";
import { type AddCommand, collect, wholeNumber } from "./command.ts";
import { formatName } from "./data.ts";

interface Given extends Omit<EvalOptions, "model" | "judge" | "sets" | "set"> {
  readonly sets?: readonly SetName[];
  readonly endpoint?: string;
  readonly name?: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly retries: number;
  readonly judge?: string;
  readonly judgeName?: string;
  readonly set: readonly string[];
}

const help = `
Sets: nano (endless small charts), ${testSetNames.join(", ")}; or "paper" for these six. Their files lie
below --data: refocus/ or chartqa/ (h_bar, v_bar), charxiv/, tablevqabench/ or wtq/ (vwtq, vwtq_syn) or tabfact/ (vtabfact).
Keys come from the environment: IAPO_ENDPOINT_KEY, IAPO_JUDGE_KEY. The same command goes on where it was stopped.

Examples:
  $ iapo eval models/student                                   256 nano-charts, sampled at T = 1
  $ iapo eval models/3b --sets paper --data data               the paper's Table 1
  $ iapo eval models/student --tasks mine/tasks.jsonl           own questions (rows: README of @iapo/vqa-tasks)
  $ iapo eval models/after --config my.yaml                    a configuration's own held-out tasks, tools and judge
  $ iapo eval --endpoint http://localhost:8000/v1 --name qwen --sets h_bar,v_bar --data data --limit 50`;

export const addEval: AddCommand = (program, run) => {
  const command = program
    .command("eval")
    .description("sample a model on held-out tasks: rates with intervals, and the paper's Table 1")
    .argument("[model]", "a model's directory, or the name of a shipped one; or give --endpoint")
    .option("--sets <names>", "what to evaluate on, separated by commas; default: nano, or --tasks alone", setList)
    .option("--data <directory>", "where the test sets lie")
    .option("--tasks <path>", "own tasks: a file of rows, or a folder of such files")
    .option("--format <name>", `of own tasks: ${dataFormats.join(", ")}; default: tasks`, formatName)
    .option("--images <directory>", "where pictures of own tasks are looked for; default: beside the file")
    .addOption(new Option("--split <split>", "of nano").choices(["validation", "test"]).default("validation"))
    .option("--limit <count>", "tasks of each set", wholeNumber)
    .option("--n <count>", "responses to each task", wholeNumber, 1)
    .option("--temperature <number>", "divides the logits; 0 takes the likeliest token", temperature, 1)
    .option("--seed <number>", "every random number follows from it", wholeNumber, 1)
    .option("--max-tokens <count>", "of a turn", wholeNumber, 512)
    .option("--batch <tasks>", "tasks that are generated together, and kept together", wholeNumber, 16)
    .addOption(
      new Option("--preset <name>", "how an episode runs")
        .choices(["default", "vtool_v1", "vtool_v2"])
        .default("default"),
    )
    .addOption(new Option("--prompt <kind>", "default: compact for nano, full for others").choices(["full", "compact"]))
    .addOption(
      new Option(
        "--config <file>",
        "environment, tools and judge of a configuration or a run's directory; its held-out tasks where no others are named",
      ).conflicts(["preset", "prompt", "judge", "judgeName"]),
    )
    .option("--set <key=value>", "replace a setting of --config; may be repeated", collect, [])
    .option("--trust", "of a run's directory: load the modules that it names")
    .option("--judge <url>", "score answers by a model behind this address, in place of the rule of their set")
    .option("--judge-name <model>", "its name there");
  endpointOptions(command)
    .option("--out <directory>", "default: runs/eval- and the model's name")
    .option("--json", "print JSON")
    .addHelpText("after", help)
    .action((model: string | undefined, given: Given) =>
      run(async (io) => {
        const { evaluate } = await import("../eval/eval.ts");
        return evaluate(optionsOf(model, given), io);
      }),
    );
};

function endpointOptions(command: Command): Command {
  return command
    .option("--endpoint <url>", "a model behind an OpenAI-compatible address, such as http://localhost:8000/v1")
    .option("--name <model>", "its name there")
    .option("--concurrency <count>", "requests under way at one time", wholeNumber, 8)
    .option("--timeout <seconds>", "for one request", wholeNumber, 120)
    .option("--retries <count>", "of a request that fails", wholeNumber, 4);
}

/** @throws TrainerError `argument` */
function optionsOf(model: string | undefined, given: Given): EvalOptions {
  const { endpoint, name, concurrency, timeout, retries, judge, judgeName, ...rest } = given;
  if (given.set.length > 0 && given.config === undefined)
    throw new TrainerError("argument", "--set replaces settings of --config: give that too");
  const sets = given.sets ?? ((given.tasks ?? given.config) === undefined ? (["nano"] as const) : []);
  return { ...rest, sets, model: modelOf(model, given), judge: judgeOf(judge, judgeName) };
}

function modelOf(
  model: string | undefined,
  { endpoint, name, concurrency, timeout, retries }: Given,
): EvalOptions["model"] {
  if ((model === undefined) === (endpoint === undefined))
    throw new TrainerError("argument", "give either a model's directory or --endpoint");
  if (model !== undefined) return { directory: shippedModels.get(model) ?? model };
  if (name === undefined) throw new TrainerError("argument", "--endpoint needs --name, the model's name there");
  const apiKey = process.env.IAPO_ENDPOINT_KEY;
  const [url, timeoutMs] = [address(endpoint ?? "", "--endpoint"), 1000 * timeout];
  return { endpoint: url, model: name, apiKey, concurrency, timeoutMs, retries };
}

function judgeOf(url: string | undefined, model: string | undefined): EvalOptions["judge"] {
  if (url === undefined && model === undefined) return undefined;
  if (url === undefined || model === undefined)
    throw new TrainerError("argument", "--judge and --judge-name go together");
  return { endpoint: address(url, "--judge"), model, apiKey: process.env.IAPO_JUDGE_KEY };
}

function address(text: string, option: string): string {
  const problem = endpointProblem(text);
  if (problem === undefined) return text;
  throw new TrainerError("argument", `${option}: ${problem}`);
}

function setList(text: string): readonly SetName[] {
  const names = text.split(",").flatMap((name) => (name === "paper" ? testSetNames : [name.trim()]));
  for (const name of names) {
    if ((setNames as readonly string[]).includes(name)) continue;
    const near = nearest(name, [...setNames, "paper"]);
    const hint = near ? ` (Did you mean ${near}?)` : "";
    throw new InvalidArgumentError(`There is no set ${name}${hint}. Sets: ${setNames.join(", ")}, paper.`);
  }
  return [...new Set(names)] as SetName[];
}

function temperature(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError("It must be a number of at least 0.");
  return value;
}
