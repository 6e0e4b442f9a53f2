// The runs of docs/results.md: trains, exports, measures on held-out charts, and writes the tables of docs/figures. What the directory holds is not made
// again, so that the command goes on where it was stopped, and several of it may share a directory if their cells or seeds differ.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/experiments.ts <work directory> [<cell>:<seed>,<seed> ...]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { recipes } from "@iapo/iapo/recipes";
import { type Cell, cells } from "./experiment-cells.ts";
import { heldOutTables, type Run, stepTable } from "./experiment-rows.ts";

/** The same charts for all: enough for intervals of 0.04. */
const [heldOutSeed, heldOutCharts] = ["1000", "448"];
const main = resolve(import.meta.dirname, "../../src/main.ts");

const [work, ...asked] = process.argv.slice(2);
if (work === undefined) {
  console.error(
    `usage: experiments.ts <work directory> [<cell>:<seed>,<seed> ...], of ${Object.keys(cells).join(", ")}`,
  );
  process.exit(2);
}
for (const one of asked) {
  const [name = "", seeds = ""] = one.split(":");
  for (const seed of seeds.split(",")) await trainAndMeasure(name, seed, join(work, `${name}-${seed}`));
}
const runs = await runsIn(work);
const tables = await heldOutTables(runs, (name) => cellOf(name).steps);
await writeFile(join(work, "experiments.csv"), tables.each);
await writeFile(join(work, "experiment-means.csv"), tables.means);
await writeFile(join(work, "experiment-steps.csv"), await stepTable(runs));

function cellOf(name: string): Cell {
  const cell = cells[name];
  if (!cell) throw new Error(`${name} is none of ${Object.keys(cells).join(", ")}`);
  return cell;
}

async function trainAndMeasure(name: string, seed: string, run: string): Promise<void> {
  const { recipe = name, steps, teacher, strict = false, maxTokens = 48, set = [] } = cellOf(name);
  const settings = [
    ...[`grpo.seed=${seed}`, `data.nanoCharts.seed=${seed}`, `grpo.steps=${Math.max(...steps)}`],
    ...[`environment.tools.strictOrientation=${strict}`, "grpo.evaluate=", `grpo.rollout.maxTokens=${maxTokens}`],
    ...["grpo.checkpoint.every=15", "grpo.checkpoint.keep=8"],
    ...(teacher === undefined ? [] : [`teacher.directory=${await makeTeacher(teacher)}`]),
    ...set,
  ].flatMap((one) => ["--set", one]);
  if (existsSync(join(run, "run.json"))) await iapo("train", "--resume", run, "--trust");
  else await iapo("train", recipe, "--out", run, ...settings);
  for (const step of steps) {
    const [model, results] = [join(run, `model-${step}`), join(run, `eval-${step}`)];
    if (existsSync(join(results, "results.json"))) continue;
    if (!existsSync(model)) await iapo("export", run, "--step", String(step), "--out", model);
    const charts = ["--set", `data.nanoCharts.seed=${heldOutSeed}`, "--seed", heldOutSeed, "--limit", heldOutCharts];
    const written = ["--max-tokens", String(maxTokens), "--batch", "64", "--out", results];
    await iapo("eval", model, "--config", run, "--trust", ...charts, ...written);
  }
}

/** @returns the directory of the model */
async function makeTeacher(recipe: string): Promise<string> {
  const [run, model] = [
    resolve(work as string, "teachers", recipe),
    resolve(work as string, "teachers", `${recipe}-model`),
  ];
  if (existsSync(model)) return model;
  const command = recipes.get(recipe)?.config.supervised ? "sft" : "train";
  if (existsSync(join(run, "run.json"))) await iapo(command, "--resume", run);
  else await iapo(command, recipe, "--out", run);
  await iapo("export", run, "--out", model);
  return model;
}

async function iapo(...args: readonly string[]): Promise<void> {
  console.error(`iapo ${args.join(" ")}`);
  const child = spawn(process.execPath, ["--conditions=@iapo/source", main, ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise((end) => child.on("close", end));
  if (code !== 0) throw new Error(`exit code ${code} of iapo ${args.join(" ")}`);
}

/** In the order of the cells. */
async function runsIn(directory: string): Promise<Run[]> {
  const present = await readdir(directory);
  return Object.keys(cells).flatMap((name) =>
    present
      .filter((entry) => entry.startsWith(`${name}-`) && /^\d+$/.test(entry.slice(name.length + 1)))
      .map((entry) => ({ name, seed: Number(entry.slice(name.length + 1)), directory: join(directory, entry) }))
      .toSorted((a, b) => a.seed - b.seed),
  );
}
