// Validation inside a run: rollouts on held-out tasks with seeds of their own, the same each time.
import { setImmediate } from "node:timers/promises";
import type { Environment, Policy, Task } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import { type Metrics, rolloutMetrics } from "../metrics/rollout-metrics.ts";
import type { RolloutOptions } from "../rollout/options.ts";
import { rollout } from "../rollout/rollout.ts";
import type { TaskSource } from "./task-source.ts";

export interface EvaluateOptions {
  readonly seed: number;
  /** The first so many tasks of the source. */
  readonly count: number;
  readonly rollout: RolloutOptions;
}

/** Held-out tasks that are generated together, unless the rollout says otherwise: hundreds of pictures do not fit one binding. */
const AT_ONCE = 64;

/** Metrics under `val/`; the score is the mean outcome reward, `val/reward_score`, 0 where none was scored. */
export async function evaluatePolicy<Content>(
  policy: Policy,
  environment: Environment<Content>,
  tasks: TaskSource<Task<Content>>,
  { seed, count, rollout: options }: EvaluateOptions,
): Promise<{ metrics: Metrics; score: number }> {
  const chosen: Task<Content>[] = [];
  for (let i = 0; i < Math.min(count, tasks.length); i++) {
    await setImmediate(); // so that an interrupt is heard
    options.signal?.throwIfAborted();
    chosen.push(await tasks.task(i));
  }
  const place = { step: 0, seed: (...at: number[]) => deriveSeed(seed, "evaluate", ...at) };
  const { groups } = await rollout(policy, environment, chosen, { groupsAtOnce: AT_ONCE, ...options }, place);
  const found = rolloutMetrics(groups.flat(), options.maxTokens);
  const score = found["reward/outcome"] ?? 0;
  const metrics = Object.fromEntries(Object.entries(found).map(([name, value]) => [`val/${name}`, value]));
  return { metrics: { ...metrics, "val/reward_score": score }, score };
}
