// Short IAPO runs of nano models with random weights.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type RunState, type TrainOptions, train } from "@iapo/grpo";
import { lossPreset } from "@iapo/grpo/math";
import type { ReplayFunctions } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import { type IapoSettings, iapoSettingsSchema } from "../../src/config.ts";
import { type IapoOptions, iapoRecipe, iapoReplay } from "../../src/index.ts";
import { chartTasks, environment, type NanoKind, nanoModel, teacherOf, worth } from "./models.ts";

/** The whole first turn is explained: random weights write no program. */
export function optionsOf(iapo: object): IapoOptions {
  return {
    seed: 7,
    groups: 2,
    rollout: { samples: 3, sampling: { temperature: 1 }, maxTokens: 8 },
    advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
    loss: lossPreset("dapo"),
    iapo: iapoSettingsSchema.parse({ target: "turn1", coldStartSteps: 0, ...iapo }) satisfies IapoSettings,
  };
}

export interface RunOptions extends Partial<TrainOptions> {
  readonly directory: string;
  readonly steps: number;
  readonly cache?: string;
  readonly teacher?: NanoKind;
  readonly onWarning?: (message: string) => void;
}

export async function iapoRun(device: Device, options: IapoOptions, run: RunOptions): Promise<RunState> {
  const { cache, teacher: kind = { seed: 2 }, onWarning = () => undefined, ...rest } = run;
  const student = await nanoModel(device, { seed: 1, trainable: true });
  const teacher = await nanoModel(device, kind);
  const parts = {
    policy: student.policy,
    student: student.model,
    teacher: teacherOf(teacher, JSON.stringify(kind)),
    tasks: chartTasks,
    environment,
    learner: { learningRate: () => 1e-3 },
    ...{ cache, onWarning },
  };
  const recipe = iapoRecipe(parts, options);
  try {
    return await train(recipe, { checkpoint: { every: 2, keep: 2 }, settings: { options, kind }, ...rest });
  } finally {
    recipe.dispose();
    for (const { policy } of [student, teacher]) policy.model.dispose();
  }
}

/** What recomputes a step of such a run from its file. */
export function replaying(options: IapoOptions): ReplayFunctions {
  return iapoReplay(options.iapo, options, {
    rewards: ({ turns, rewards }) => ({ ...rewards, outcome: worth(turns.at(-1)!.text) }),
  });
}

/** SHA-256 of the files of a run but its timings, by name. */
export async function fingerprint(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const hashes: Record<string, string> = {};
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === "timings.jsonl") continue;
    hashes[relative(directory, file)] = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  }
  return hashes;
}
