// A student as training might leave it: biased to one axis, or to no call, by a few supervised steps on charts that are not diagnosed.
import { learnerOptions, supervisedRecipe, type TrainablePolicy, transcribeEpisode } from "@iapo/grpo";
import type { OptimizerSettings } from "@iapo/grpo/config";
import type { Scribe, Trajectory } from "@iapo/rollout-trace";
import { answerLine, toolProgram } from "@iapo/vqa-tasks/nano";
import { at } from "../../at.ts";
import type { AttributionModel } from "../../scoring/model.ts";
import type { StudySubject } from "../subject.ts";

/** What the student is taught to do on every chart, whatever the chart shows. */
export const biases = ["columns", "rows", "no_call"] as const;
export type Bias = (typeof biases)[number];

/** A policy whose weights training may change, and what explains its calls. */
export interface TrainableStudent {
  readonly policy: TrainablePolicy & Scribe;
  readonly model: AttributionModel;
  dispose(): void;
}

/** All that decides the weights of a biased student, beside those that it begins with. */
export interface BiasTraining {
  readonly steps: number;
  readonly batch: number;
  readonly seed: number;
  readonly optimizer: OptimizerSettings;
}

const effects = ["highlight", "mask", "draw"] as const;

/** Trains it where it stands. @throws the reason of `signal` */
export async function biasStudent(
  { policy }: TrainableStudent,
  { charts, environment }: Pick<StudySubject, "charts" | "environment">,
  bias: Bias,
  { steps, batch, seed, optimizer }: BiasTraining,
  signal: AbortSignal,
): Promise<void> {
  const examples = {
    length: steps * batch,
    task: async (index: number): Promise<Trajectory> => {
      const { task, question } = await charts.chart("train", index);
      const text =
        bias === "no_call"
          ? answerLine(task.content.answers[0] ?? "")
          : toolProgram(bias, at(effects, index % effects.length), question.names, { aliases: task.content.aliases });
      return transcribeEpisode(policy, environment, task, [text]);
    },
  };
  const recipe = supervisedRecipe({ policy, examples, learner: learnerOptions(optimizer) }, { seed, batch });
  try {
    for (let step = 0; step < steps; step++) await recipe.step({ step, cursor: step * batch, signal });
  } finally {
    recipe.dispose();
  }
}
