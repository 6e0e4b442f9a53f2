// The functions of a run by which `replayStep` recomputes its steps: those of GRPO, of IAPO, or of a baseline.
import { advantageFunction, replayFunctions } from "@iapo/grpo";
import { createBaseline, iapoReplay, recordedVerifier } from "@iapo/iapo";
import type { ImageRef, ReplayFunctions } from "@iapo/rollout-trace";
import type { JobConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";
import { environmentOf, withoutJudge } from "../parts/environment.ts";
import { userFunctions } from "../parts/functions.ts";
import { namedModules, requireTrust } from "../parts/user-modules.ts";
import { recomputeRewards } from "./rewards.ts";

/**
 * @param trust whether modules that the run names may be loaded: they run with all rights of this process
 * @throws JobsError `argument` where a part of the run cannot be recomputed, `untrusted`
 */
export async function functionsOf(config: JobConfig, trust: boolean): Promise<ReplayFunctions> {
  const { grpo, iapo, baseline } = config;
  const { loss, ...named } = grpo.functions;
  if (loss !== undefined)
    throw new JobsError("argument", `the run's loss is a function of its own (${loss}), which only the GPU computes`);
  requireTrust({ name: "the run", untrusted: trust ? [] : namedModules(config) });
  const { reward, advantage } = await userFunctions(named);
  const { callable } = await environmentOf(withoutJudge(config.environment));
  const rewards = recomputeRewards(config, reward, callable);
  if (iapo) return iapoReplay(iapo, grpo, { rewards });
  if (!baseline) return replayFunctions(grpo, { rewards, advantage });
  const plain = { advantage: advantageFunction(grpo.advantage), verify: recordedVerifier };
  return replayFunctions(grpo, { rewards, advantage: createBaseline<ImageRef>(baseline, plain).advantage });
}
