// The outcome reward: finds the answer in a response and scores it in the way the run asks for.
import { VqaTasksError } from "../error.ts";
import type { VisualContent, VisualTask } from "../task.ts";
import { type AnswerExtraction, extractAnswer } from "./extract.ts";
import type { Judge, JudgeVerdict } from "./judge.ts";
import { ruleOf, ruleScores, type ScoringRule } from "./rules.ts";
import { similarityV1 } from "./similarity.ts";

/** `by_set`: the rule of the set that a task is from ({@link ruleOf}). */
export type Scoring = "by_set" | ScoringRule | "similarity_v1" | "judge";

export interface ScoringOptions {
  readonly scoring: Scoring;
  readonly extraction: AnswerExtraction;
}

export const defaultScoringOptions: ScoringOptions = { scoring: "by_set", extraction: "final_answer" };

/** v1 trains on similarity, v2 on a judge (method.md C.2). */
export const scoringPresets: Readonly<Record<"vtool_v1" | "vtool_v2", ScoringOptions>> = {
  vtool_v1: { scoring: "similarity_v1", extraction: "vtool_v1" },
  vtool_v2: { scoring: "judge", extraction: "vtool_v2" },
};

export interface Score {
  /** 0 or 1, but for `similarity_v1`, which is any finite number. */
  readonly value: number;
  /** The answer found, null where there is none (scored 0, and no judge is asked). */
  readonly answer: string | null;
  /** How it was scored. */
  readonly rule: Exclude<Scoring, "by_set">;
  readonly verdict?: JudgeVerdict | undefined;
}

/** Responses are cut to this many UTF-16 units from the end, where the answer stands. */
const LONGEST_RESPONSE = 2 ** 16;

export type Scorer = (
  task: Pick<VisualContent, "question" | "answers"> & Partial<Pick<VisualTask, "source">>,
  response: string,
) => Promise<Score>;

/** @throws VqaTasksError `invalid_config` where `judge` is asked for and none is given */
export function createScorer(options: Partial<ScoringOptions> = {}, judge?: Judge): Scorer {
  const { scoring, extraction } = { ...defaultScoringOptions, ...options };
  if (scoring === "judge" && judge === undefined) {
    throw new VqaTasksError("invalid_config", 'scoring "judge" needs a judge; give an endpoint, or choose "relaxed"');
  }
  return async (task, response) => {
    const answer = extractAnswer(response.slice(-LONGEST_RESPONSE), extraction);
    const rule = scoring === "by_set" ? ruleOf(task.source) : scoring;
    if (answer === null) return { value: 0, answer, rule };
    switch (rule) {
      case "similarity_v1": {
        // An infinite or NaN answer makes the published score NaN, which no advantage survives.
        const value = similarityV1(answer, task.answers);
        return { value: Number.isFinite(value) ? value : 0, answer, rule };
      }
      case "judge": {
        const verdict = await judge?.({ question: task.question, truths: task.answers, answer });
        return { value: verdict?.correct === true ? 1 : 0, answer, rule, verdict };
      }
      default:
        return { value: ruleScores[rule](answer, task.answers), answer, rule };
    }
  };
}
