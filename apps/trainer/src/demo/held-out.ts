// One model on held-out tasks, sampled: its rates, and its traces in a directory.

import { evaluateSet, type Measured, measure } from "@iapo/evaluation";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { OpenTasks } from "@iapo/vqa-tasks/sources";

export interface HeldOut {
  readonly device: Device;
  readonly environment: Environment;
  readonly tasks: NonNullable<OpenTasks["validation"]>;
  /** The first so many of them. */
  readonly count: number;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** Charts and draws are the same for every model. */
const SEED = 1000;
const BATCH = 64;

/** @throws the signal's reason where it was interrupted; the same call goes on where it stopped */
export async function measureModel(
  heldOut: HeldOut,
  model: string,
  directory: string,
  onProgress: (done: number) => void,
): Promise<Measured> {
  const { device, environment, tasks, count, maxTokens, signal } = heldOut;
  const policy = await QwenVLPolicy.load(device, { directory: model }, { frozen: true });
  try {
    const { groups, failed } = await evaluateSet({
      ...{ policy, environment, directory, maxTokens, signal },
      tasks: firstOf(tasks, count),
      name: "held-out",
      seed: SEED,
      limit: count,
      samples: 1,
      temperature: 1,
      batch: BATCH,
      onBatch: onProgress,
    });
    return measure(groups, SEED, failed);
  } finally {
    policy.model.dispose();
  }
}

async function* firstOf({ task }: HeldOut["tasks"], count: number) {
  for (let index = 0; index < count; index++) yield await task(index);
}
