// The functions of a run by which `replayStep` recomputes its steps: those of GRPO, of IAPO, or of a baseline.
import {
  advantageFunction,
  type PenaltyFunction,
  type ReplayParts,
  recordedScorers,
  replayFunctions,
} from "@iapo/grpo";
import { createBaseline, distillationReplay, iapoReplay, recordedVerifier } from "@iapo/iapo";
import type { ImageRef, ReplayFunctions, Step, Trace } from "@iapo/rollout-trace";
import { JobsError } from "../error.ts";
import { environmentOf, episodesOf, withoutJudge } from "../parts/environment.ts";
import { userFunctions } from "../parts/functions.ts";
import { namedModules, requireTrust } from "../parts/user-modules.ts";
import type { RecordedRun } from "../run/recorded-run.ts";
import { recomputeRewards } from "./rewards.ts";
import { stepAgain } from "./step-again.ts";

/** What replays the steps of a run, one after the other. */
export interface RunFunctions {
  readonly functions: ReplayFunctions;
  /** To be awaited with each step before it is replayed: a penalty function takes a step's traces together. */
  prepare(step: Step): Promise<void>;
}

/**
 * @param trust whether modules that the run names may be loaded: they run with all rights of this process
 * @throws JobsError `argument` where a part of the run cannot be recomputed, `untrusted`
 */
export async function functionsOf(run: RecordedRun, trust: boolean): Promise<RunFunctions> {
  const { config } = run;
  const { grpo, iapo, distillation, baseline } = config;
  const { loss, ...named } = grpo.functions;
  if (loss !== undefined)
    throw new JobsError("argument", `the run's loss is a function of its own (${loss}), which only the GPU computes`);
  requireTrust({ name: "the run", untrusted: trust ? [] : namedModules(config) });
  const { reward, advantage, penalty } = await userFunctions(named);
  const own = penaltiesOf(penalty, config.teacher !== undefined);
  const given = (functions: ReplayFunctions): RunFunctions => ({ functions, prepare: own.prepare });
  const withTeacher = (parts: ReplayParts): ReplayFunctions =>
    distillation ? distillationReplay({ ...grpo, distillation }, parts) : replayFunctions(grpo, parts);
  if (config.environment.module !== undefined) {
    const { environment } = await episodesOf(config);
    return given(withTeacher({ rewards: stepAgain(run, environment, reward), advantage, penalty: own.penalty }));
  }
  const { callable } = await environmentOf(withoutJudge(config.environment));
  const rewards = recomputeRewards(config, reward, callable);
  if (iapo) return given(iapoReplay(iapo, grpo, { rewards }));
  if (!baseline) return given(withTeacher({ rewards, advantage, penalty: own.penalty }));
  const plain = { advantage: advantageFunction(grpo.advantage), verify: recordedVerifier };
  return given(replayFunctions(grpo, { rewards, advantage: createBaseline<ImageRef>(baseline, plain).advantage }));
}

/** The user's own penalties of a step, called as in the run: with the traces group by group, and scorers that answer as they did. */
function penaltiesOf(own: PenaltyFunction | undefined, hasTeacher: boolean) {
  const keyOf = ({ group, sample }: Pick<Trace<ImageRef>, "group" | "sample">): string => `${group}/${sample}`;
  let penalties = new Map<string, number>();
  return {
    async prepare({ step, traces, log }: Step): Promise<void> {
      if (!own) return;
      const groups = [...Map.groupBy(traces, ({ group }) => group).values()];
      const evidence = new Map(log.samples.map((sample) => [keyOf(sample), sample.evidence ?? {}]));
      const scorers = recordedScorers((trace) => evidence.get(keyOf(trace)) ?? {}, hasTeacher);
      const given = await own(groups as unknown as Parameters<PenaltyFunction>[0], step, scorers);
      penalties = new Map(
        groups.flatMap((group, i) =>
          group.map((trace, k): [string, number] => [keyOf(trace), given[i]?.[k]?.penalty ?? 0]),
        ),
      );
    },
    penalty: (trace: Trace<ImageRef>): number => penalties.get(keyOf(trace)) ?? 0,
  };
}
