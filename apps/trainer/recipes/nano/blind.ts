// The runs of docs/results.md, "Where the outcome is blind": trains, exports, measures on held-out charts, and writes the tables of docs/figures. What
// the directory holds is not made again, so that the command goes on where it was stopped, and several of it may share a directory if their seeds differ.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/blind.ts <work directory> [<recipe>:<seed>,<seed> ...]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { heldOutTables, type Run, stepTable } from "./blind-rows.ts";

/** Steps after which a recipe's runs are measured; 45 of GRPO take about as long as 30 of others. */
const recipes: Readonly<Record<string, readonly number[]>> = {
  "nano-grpo": [30, 45, 60],
  "nano-iapo-paper": [30, 60],
  "nano-iapo-occlusion": [30, 60],
  "nano-iapo-anchored": [30, 60],
  "nano-opd": [30, 60],
};

/** The same charts for all: enough for intervals of 0.04. */
const [heldOutSeed, heldOutCharts] = ["1000", "448"];
const main = resolve(import.meta.dirname, "../../src/main.ts");

const [work, ...asked] = process.argv.slice(2);
if (work === undefined) {
  console.error(`usage: blind.ts <work directory> [<recipe>:<seed>,<seed> ...], of ${Object.keys(recipes).join(", ")}`);
  process.exit(2);
}
for (const one of asked) {
  const [name = "", seeds = ""] = one.split(":");
  for (const seed of seeds.split(",")) await trainAndMeasure(name, seed, join(work, `${name}-${seed}`));
}
const runs = await runsIn(work);
const tables = await heldOutTables(runs, stepsOf);
await writeFile(join(work, "blind.csv"), tables.each);
await writeFile(join(work, "blind-means.csv"), tables.means);
await writeFile(join(work, "blind-steps.csv"), await stepTable(runs));

function stepsOf(recipe: string): readonly number[] {
  const steps = recipes[recipe];
  if (!steps) throw new Error(`${recipe} is none of ${Object.keys(recipes).join(", ")}`);
  return steps;
}

async function trainAndMeasure(recipe: string, seed: string, run: string): Promise<void> {
  const steps = stepsOf(recipe);
  const settings = [
    ...[`grpo.seed=${seed}`, `data.nanoCharts.seed=${seed}`, `grpo.steps=${Math.max(...steps)}`],
    ...["environment.tools.strictOrientation=false", "grpo.evaluate="],
    ...["grpo.checkpoint.every=15", "grpo.checkpoint.keep=8"],
  ].flatMap((one) => ["--set", one]);
  if (existsSync(join(run, "run.json"))) await iapo("train", "--resume", run);
  else await iapo("train", recipe, "--out", run, ...settings);
  for (const step of steps) {
    const [model, results] = [join(run, `model-${step}`), join(run, `eval-${step}`)];
    if (existsSync(join(results, "results.json"))) continue;
    if (!existsSync(model)) await iapo("export", run, "--step", String(step), "--out", model);
    const charts = ["--set", `data.nanoCharts.seed=${heldOutSeed}`, "--seed", heldOutSeed, "--limit", heldOutCharts];
    await iapo("eval", model, "--config", run, ...charts, "--max-tokens", "48", "--batch", "64", "--out", results);
  }
}

async function iapo(...args: readonly string[]): Promise<void> {
  console.error(`iapo ${args.join(" ")}`);
  const child = spawn(process.execPath, ["--conditions=@iapo/source", main, ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise((end) => child.on("close", end));
  if (code !== 0) throw new Error(`exit code ${code} of iapo ${args.join(" ")}`);
}

/** In the order of the recipes. */
async function runsIn(work: string): Promise<Run[]> {
  const present = await readdir(work);
  return Object.keys(recipes).flatMap((name) =>
    present
      .filter((entry) => entry.startsWith(`${name}-`) && Number.isInteger(Number(entry.slice(name.length + 1))))
      .map((entry) => ({ name, seed: Number(entry.slice(name.length + 1)), directory: join(work, entry) }))
      .toSorted((a, b) => a.seed - b.seed),
  );
}
