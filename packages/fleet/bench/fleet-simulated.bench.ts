/**
 * SIMULATED, not measured: steps an hour of `paper-main` (an adapter of rank 16 on the 3B model, a 7B teacher) on 1 to 64 workers with links of 1 and 10
 * Gbit/s. Operations of a step are those of its plan (`iapo plan`, 8 responses of at most 256 tokens a turn), seconds are operations over RATE (20) TFLOP/s that a card is taken to do; sizes are those
 * of the adapter's weights and of measured traces. Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: one worker behind a link without
 * end takes just the sum of its units.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StepPlan, simulateStep } from "./simulate.ts";

const RATE = Number(process.env.RATE ?? 20) * 1e12;
/** Of an adapter of rank 16 on all matrices of the 3B model. */
const ADAPTER = 29_900_000;
/** Of a step, as the recipe has it. */
const GROUPS = 32;

interface Phase {
  readonly name: string;
  readonly flops: number;
}

const room = join(import.meta.dirname, "../../..");

/** A model's published sizes, without weights, and the tokenizer of nano. */
function sizesOnly(folder: string, name: string): string {
  const directory = join(folder, name);
  const base = join(room, "packages/nano-vl/base");
  cpSync(base, directory, { recursive: true });
  const read = (path: string): object => JSON.parse(readFileSync(path, "utf8"));
  const tokens = Object.entries(read(join(base, "config.json"))).filter(([key]) => key.endsWith("_token_id"));
  const published = read(join(room, `apps/trainer/test/fixtures/${name}.config.json`));
  writeFileSync(join(directory, "config.json"), JSON.stringify({ ...published, ...Object.fromEntries(tokens) }));
  return directory;
}

/** Operations of a step of so many groups, by phase. */
function planned(groups: number): readonly Phase[] {
  const folder = mkdtempSync(join(tmpdir(), "iapo-simulated-"));
  try {
    const [student, teacher] = [sizesOnly(folder, "qwen2.5-vl-3b"), sizesOnly(folder, "qwen2.5-vl-7b")];
    const settings = [
      ...["model.hub=", `model.directory=${student}`, "teacher.hub=", `teacher.directory=${teacher}`],
      ...[`grpo.groups=${groups}`, "grpo.rollout.samples=8", "grpo.rollout.maxTokens=256", "grpo.evaluate="],
      "environment.prompt=compact",
    ].flatMap((setting) => ["--set", setting]);
    const main = join(room, "apps/trainer/src/main.ts");
    const args = [main, "plan", "paper-main", ...settings, "--card", "--no-probe", "--json"];
    const { stdout, stderr, status } = spawnSync("node", ["--conditions=@iapo/source", "--no-warnings", ...args], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`the step could not be planned: ${stderr}`);
    return (JSON.parse(stdout) as { phases: readonly Phase[] }).phases;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of the plan; a group takes the same in a step of more. */
const PLANNED = 1;
const phases = planned(PLANNED);
const secondsOf = (pattern: RegExp): number =>
  phases.filter(({ name }) => pattern.test(name)).reduce((sum, { flops }) => sum + flops, 0) / RATE / PLANNED;
console.error(phases.map(({ name, flops }) => `${name}: ${(flops / 1e12).toFixed(1)} TFLOP`).join("\n"));

const plan: StepPlan = {
  groups: GROUPS,
  rollout: secondsOf(/rollout/),
  explain: secondsOf(/penalty|explain|teacher/),
  gradient: secondsOf(/update/),
  update: 1 + GROUPS * secondsOf(/score/), // the optimizer and the step's file are taken for a second
  version: 2 * ADAPTER,
  traces: 1e6,
  gradientBytes: 4 * ADAPTER,
};
const { rollout, explain, gradient, update } = plan;
const alone = GROUPS * (rollout + explain + gradient) + update;
const endless = simulateStep(plan, { workers: 1, bandwidth: Number.POSITIVE_INFINITY, reduction: "learner" });
const correct = Math.abs(endless.seconds - alone) < 1e-6 * alone;

const rows = [1, 10].flatMap((gigabits) =>
  (["learner", "tree"] as const).flatMap((reduction) =>
    [1, 2, 4, 8, 16, 32, 64].map((workers) => {
      const { seconds, link, computing } = simulateStep(plan, { workers, bandwidth: (gigabits * 1e9) / 8, reduction });
      const saturates = link > 0.5 ? "link" : workers >= GROUPS ? "groups" : "workers";
      const name = `simulated: ${workers} workers, ${gigabits} Gbit/s, sums by ${reduction === "tree" ? "a tree" : "the learner"}`;
      return {
        ...{ case: name, unit: "steps/h", ours: Number((3600 / seconds).toFixed(2)), correct },
        ...{ link: Number(link.toFixed(3)), computing: Number(computing.toFixed(3)), saturates },
      };
    }),
  ),
);
console.log(JSON.stringify({ name: "fleet-simulated", rows }));
