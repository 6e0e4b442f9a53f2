// The user's own functions are called once before a run, on an episode that is written down here.
import {
  advantagesBy,
  type Penalty,
  type Scorers,
  type TokenScorer,
  transcribeEpisode,
  withOwnReward,
  writtenTokens,
} from "@iapo/grpo";
import { type Environment, type Scribe, type Task, type Trace, traceVersion } from "@iapo/rollout-trace";
import type { JobConfig } from "../config/schema.ts";
import { programFor } from "../parts/example-program.ts";
import { userFunctions } from "../parts/functions.ts";

interface TriedParts {
  readonly scribe: Scribe;
  readonly environment: Environment;
  readonly task: Task;
}

const ANSWER = "FINAL ANSWER: 0\n";

/** @returns the functions that are loaded and not called. @throws GrpoError `module`, `shape` with file and function */
export async function tryFunctions(
  { grpo, teacher }: Pick<JobConfig, "grpo" | "teacher">,
  given: TriedParts,
): Promise<string[]> {
  const { scribe } = given;
  const { reward, penalty, advantage, loss } = await userFunctions(grpo.functions);
  let penalties: readonly Penalty[] = [];
  if (reward || penalty || advantage) {
    const program = programFor(given.task);
    const traces = [
      await episode(given, 0, [ANSWER]),
      await episode(given, 1, program === undefined ? [ANSWER] : [program, ANSWER]),
    ];
    if (reward) for (const trace of traces) await withOwnReward(trace, reward);
    if (penalty) [penalties = []] = await penalty([traces], 0, triedScorers(scribe, teacher !== undefined));
    if (advantage) {
      const shaped = traces.map((trace, shapedReward) => ({
        ...{ trace, rewards: trace.rewards, penalty: 0, shapedReward },
        ...{ evidence: penalties[shapedReward]?.evidence, referenceLogProbs: undefined },
      }));
      advantagesBy(advantage, shaped);
    }
  }
  return loss ? ["grpo.functions.loss is loaded; it is called first in step 1, as it needs a device"] : [];
}

/** The episode of texts that are written down here; its number is its outcome. The environment answers between them. */
async function episode(
  { scribe, environment, task }: TriedParts,
  sample: number,
  texts: readonly [string, ...string[]],
): Promise<Trace> {
  const prompt = environment.prompt(task);
  const { turns } = await transcribeEpisode(scribe, environment, task, texts);
  const { tool, next } = await environment.step(task, { text: texts[0] }, []);
  const later = texts.length > 1 ? [...(next?.blocks ?? []), ...(next?.assistant ?? [])] : [];
  const behind = (block: number): number => (block < 0 ? -1 : block + prompt.length);
  return {
    ...({ version: traceVersion, step: 0, group: 0, policyVersion: 0 } as const),
    ...{ sample, task, blocks: [...prompt, ...later] },
    turns: turns.map((turn, i) => (i === 0 ? turn : { ...turn, blocks: turn.blocks.map(behind) })),
    toolOutcomes: tool ? [tool] : [],
    rewards: { outcome: sample },
  };
}

/** Without a model: prompts and texts are encoded as in a run, and every token has this log-prob. */
const TRIED_LOG_PROB = -1;

function triedScorers(scribe: Scribe, hasTeacher: boolean): Scorers {
  const tried: TokenScorer = {
    logProbs: async (requests) => {
      const made = await Promise.all(requests.map((request) => writtenTokens(scribe, request)));
      return made.map((count) => new Float32Array(count).fill(TRIED_LOG_PROB));
    },
    firstTurns: async (traces) => traces.map(({ turns }) => turns[0]?.text ?? ""),
  };
  return { policy: tried, teacher: hasTeacher ? tried : undefined };
}
