// iapo init: asks what is not said, writes the files of a project, and names the commands that come next.
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { makeDirectory } from "@iapo/rollout-trace/files";
import { createNanoCharts, type NanoSplit } from "@iapo/vqa-tasks/nano";
import { writeData } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { configuration, type DataChoice, dataChoices, ignored, type ModelChoice, modelChoices } from "./project.ts";

export interface InitOptions {
  readonly directory: string;
  readonly data?: DataChoice | undefined;
  readonly model?: ModelChoice | undefined;
  /** GiB of the card that the run is for. */
  readonly memory?: number | undefined;
}

const seed = 1;
const templateRows = { train: 8, validation: 8 } as const;

/** @throws TrainerError `argument` for a file that is there, and for an answer that is no choice */
export async function init({ directory, ...said }: InitOptions, io: CliIo): Promise<number> {
  const data = said.data ?? (await choice(io, "Data: your own, or small charts to try with", dataChoices, "nano"));
  const model =
    said.model ?? (await choice(io, "Model: Qwen2.5-VL 3B, or nano, which trains on a CPU", modelChoices, "nano"));
  const memory = said.memory ?? (await card(io));
  const at = (name: string): string => join(directory, name);
  await makeDirectory(directory);
  await create(at("iapo.yaml"), configuration({ data, model }));
  await create(at(".gitignore"), ignored);
  io.out(`${at("iapo.yaml")}: the configuration, with what its keys are for`);
  if (data === "own") {
    for (const split of ["train", "validation"] as const) {
      const { file } = await writeData(template(split), "tasks", at(`data/${split}`));
      io.out(`${file}: ${templateRows[split]} rows to put your own in place of, each with its picture`);
    }
  }
  const config = relative(process.cwd(), at("iapo.yaml"));
  // npx runs a package's command where nothing is on the shell's path.
  const iapo = process.env.npm_command === "exec" ? "npx @iapo/trainer" : "iapo";
  const forCard = memory === undefined ? "" : ` --card --memory ${memory}`;
  const next: [command: string, why: string][] = [
    ...(data === "own"
      ? [[`data inspect ${at("data/train")} --sheet sheet.png`, "rows, and their boxes drawn"] as [string, string]]
      : []),
    [`train ${config} --dry-run`, "checks everything, trains nothing"],
    [`plan ${config}${forCard}`, "bytes and time of a step, and what to change where it does not fit"],
    [`train ${config}`, ""],
    [`view`, "while it trains"],
    ["report runs/iapo", ""],
  ];
  const width = Math.max(...next.map(([command]) => command.length));
  io.out("\nWhat comes next:");
  for (const [command, why] of next)
    io.out(`  ${iapo} ${why === "" ? command : `${command.padEnd(width)}   # ${why}`}`);
  if (data === "own" && model === "nano")
    io.out(
      "The nano model knows its own charts and their words only: it shows that all works; what it learns of yours says little.",
    );
  return ExitCode.done;
}

async function* template(split: keyof typeof templateRows) {
  const charts = await createNanoCharts({ seed, names: "words" });
  const from: NanoSplit = split;
  for (let index = 0; index < templateRows[split]; index++) yield (await charts.chart(from, index)).task;
}

/** What a person answers, or `otherwise` where nobody can be asked or nothing is answered. */
async function choice<const T extends string>(
  io: CliIo,
  question: string,
  choices: readonly T[],
  otherwise: T,
): Promise<T> {
  const answer = ((await io.ask?.(`${question} (${choices.join(", ")}; ${otherwise}): `)) ?? "").trim() || otherwise;
  const found = choices.find((one) => one === answer);
  if (found === undefined) throw new TrainerError("argument", `${answer} is none of ${choices.join(", ")}`);
  return found;
}

async function card(io: CliIo): Promise<number | undefined> {
  const answer = ((await io.ask?.("GiB of memory of the card that it is for (empty: this machine's): ")) ?? "").trim();
  if (answer === "") return undefined;
  if (!(Number(answer) > 0)) throw new TrainerError("argument", `${answer} is no number of GiB`);
  return Number(answer);
}

async function create(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new TrainerError("argument", `${path} is there already, and is left as it is; choose another directory`, {
      cause,
    });
  }
}
