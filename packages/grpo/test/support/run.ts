// A short GRPO run of the nano model with two turns, as a function and as a program that can be killed: `node run.ts <directory> <steps>`.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Environment, ReplayFunctions } from "@iapo/rollout-trace";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import {
  evaluatePolicy,
  type GrpoOptions,
  type GrpoParts,
  grpoRecipe,
  type RunState,
  replayFunctions,
  type TrainOptions,
  train,
} from "../../src/index.ts";
import { lossPreset } from "../../src/math/index.ts";
import { chartTasks, environment, type NanoOptions, nanoPolicy } from "./nano.ts";

export const runOptions: GrpoOptions = {
  seed: 7,
  groups: 2,
  rollout: { samples: 3, sampling: { temperature: 1 }, maxTokens: 8 },
  advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
  loss: { ...lossPreset("dapo"), kl: { where: "loss", estimator: "k3", coefficient: 0.01 } },
  update: { miniBatch: 1, microBatchTokens: 400 },
};

/** Rewards of an untrained model are all 0: here long first turns are better, so that something is learned. */
export const rewarding: Environment<VisualContent> = {
  ...environment,
  async step(task, turn, earlier) {
    const result = await environment.step(task, turn, earlier);
    return result.done
      ? { ...result, done: { rewards: { ...(await result.done.rewards), outcome: turn.text.length / 40 } } }
      : result;
  },
};

/** What recomputes a step of this run from its traces. */
export const replaying: ReplayFunctions = replayFunctions(runOptions, {
  rewards: ({ turns, rewards }) => ({ ...rewards, outcome: turns.at(-1)!.text.length / 40 }),
});

export async function nanoRun(
  device: Device,
  run: Partial<TrainOptions> & Pick<TrainOptions, "directory" | "steps">,
  kind: NanoOptions = {},
  parts: Partial<GrpoParts<VisualContent>> = {},
): Promise<RunState> {
  const policy = await nanoPolicy(device, kind);
  const all = await chartTasks(8);
  const tasks = { length: 6, task: (index: number) => all[index]! };
  const held = { length: 2, task: (index: number) => all[6 + index]! };
  const own = { policy, environment: rewarding, tasks, learner: { learningRate: () => 1e-3 } };
  const recipe = grpoRecipe({ ...own, ...parts }, runOptions);
  try {
    return await train(recipe, {
      checkpoint: { every: 2, keep: 2 },
      settings: { options: runOptions, kind },
      evaluate: {
        every: 3,
        run: () => evaluatePolicy(policy, rewarding, held, { seed: 5, count: 2, rollout: runOptions.rollout }),
      },
      ...run,
    });
  } finally {
    recipe.dispose();
    policy.model.dispose();
  }
}

/** SHA-256 of all files of a run by name, but of timings and of verdicts, whose order no seed governs. */
export async function fingerprint(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hashes: Record<string, string> = {};
  for (const file of files.sort()) {
    if (file.endsWith("timings.jsonl") || file.endsWith("verdicts.jsonl")) continue;
    hashes[relative(directory, file)] = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  }
  return hashes;
}

const [, script, directory, steps] = process.argv;
if (script === import.meta.filename && directory) {
  const device = await openDevice();
  await nanoRun(device, { directory, steps: Number(steps), resume: true });
  device.close();
}
