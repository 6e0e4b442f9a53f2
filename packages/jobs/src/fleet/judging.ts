// A judge's verdicts in a fleet: workers put their questions to the learner, which alone asks, and keeps the record that a resume reads back.
import type { Answerer } from "@iapo/fleet";
import type { Judge, JudgeQuestion, JudgeVerdict } from "@iapo/vqa-tasks/scoring";
import { z } from "zod";

const text = z.string().max(200_000);
const questionSchema = z.strictObject({
  judge: z.strictObject({ question: text, truths: z.array(text).max(1000), answer: text }),
}) satisfies z.ZodType<{ judge: JudgeQuestion }>;
const verdictSchema = z.strictObject({
  key: z.string(),
  correct: z.boolean(),
  reply: z.string(),
}) satisfies z.ZodType<JudgeVerdict>;

/** A worker's judge. */
export function askingJudge(ask: (question: unknown) => Promise<unknown> | undefined): Judge {
  return async ({ question, truths, answer }) =>
    verdictSchema.parse(await ask({ judge: { question, truths: [...truths], answer } }));
}

/** What the learner answers: by its own judge, which gives equal questions the same verdict for the whole run. */
export function judgeAnswers(judge: Judge): Answerer {
  return async (asked) => {
    const { key, correct, reply } = await judge(questionSchema.parse(asked).judge);
    return { key, correct, reply };
  };
}
