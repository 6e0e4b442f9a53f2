// The functions of a run by which `replayStep` recomputes its steps: those of GRPO, of IAPO, or of a baseline.
import { advantageFunction, replayFunctions } from "@iapo/grpo";
import { createBaseline, iapoReplay, recordedVerifier } from "@iapo/iapo";
import type { ImageRef, ReplayFunctions } from "@iapo/rollout-trace";
import { JobsError } from "../error.ts";
import { environmentOf, episodesOf, withoutJudge } from "../parts/environment.ts";
import { userFunctions } from "../parts/functions.ts";
import { namedModules, requireTrust } from "../parts/user-modules.ts";
import type { RecordedRun } from "../run/recorded-run.ts";
import { recomputeRewards } from "./rewards.ts";
import { stepAgain } from "./step-again.ts";

/**
 * @param trust whether modules that the run names may be loaded: they run with all rights of this process
 * @throws JobsError `argument` where a part of the run cannot be recomputed, `untrusted`
 */
export async function functionsOf(run: RecordedRun, trust: boolean): Promise<ReplayFunctions> {
  const { config } = run;
  const { grpo, iapo, baseline } = config;
  const { loss, ...named } = grpo.functions;
  if (loss !== undefined)
    throw new JobsError("argument", `the run's loss is a function of its own (${loss}), which only the GPU computes`);
  requireTrust({ name: "the run", untrusted: trust ? [] : namedModules(config) });
  const { reward, advantage } = await userFunctions(named);
  if (config.environment.module !== undefined) {
    const { environment } = await episodesOf(config);
    return replayFunctions(grpo, { rewards: stepAgain(run, environment, reward), advantage });
  }
  const { callable } = await environmentOf(withoutJudge(config.environment));
  const rewards = recomputeRewards(config, reward, callable);
  if (iapo) return iapoReplay(iapo, grpo, { rewards });
  if (!baseline) return replayFunctions(grpo, { rewards, advantage });
  const plain = { advantage: advantageFunction(grpo.advantage), verify: recordedVerifier };
  return replayFunctions(grpo, { rewards, advantage: createBaseline<ImageRef>(baseline, plain).advantage });
}
