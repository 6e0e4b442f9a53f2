// Supervised learning as a recipe: cold starts from demonstrations, captions and other texts to imitate.
import type { EarlierTurn, Environment, Scribe, Task, Trajectory, Turn, TurnInput } from "@iapo/rollout-trace";
import { deriveSeed, dot, type Tensor } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import type { TrainablePolicy } from "../policy.ts";
import type { Piece } from "../update/gradients.ts";
import { Learner, type LearnerOptions, type StepOutcome } from "../update/learner.ts";
import { splitByRows } from "../update/split.ts";
import type { Workforce } from "../workforce.ts";
import { type Recipe, Stopwatch } from "./recipe.ts";
import { TaskOrder, type TaskSource } from "./task-source.ts";

export interface SupervisedParts {
  readonly policy: TrainablePolicy;
  readonly examples: TaskSource<Trajectory>;
  readonly learner: LearnerOptions;
  /** Others who compute parts of a step, to the same bits. */
  readonly workforce?: Pick<Workforce, "gradients"> | undefined;
}

/** Plain data. */
export interface SupervisedOptions {
  readonly seed: number;
  /** Examples per step. */
  readonly batch: number;
  /** Rows of one forward and backward pass at most; default no limit. */
  readonly microBatchTokens?: number | undefined;
}

/** A run's recipe; its steps keep no traces, as the examples can be made again. */
export function supervisedRecipe(
  { policy, examples, learner: options, workforce }: SupervisedParts,
  run: SupervisedOptions,
): Recipe {
  const learner = new Learner(policy, options, workforce);
  const order = new TaskOrder(examples, deriveSeed(run.seed, "order"));
  return {
    learner,
    dispose: () => learner.dispose(),
    async step({ cursor, signal, onPhase }) {
      const watch = new Stopwatch(onPhase);
      const batch = await watch.time("data", () => order.take(cursor, run.batch, signal));
      order.prepare(cursor + run.batch, run.batch);
      const outcome = await watch.time("update", () =>
        supervisedStep(learner, batch, run.microBatchTokens, signal, cursor),
      );
      policy.device.trimPhase();
      const metrics = {
        "train/loss": outcome.loss,
        "train/tokens": outcome.logProbs.length,
        "actor/grad_norm": outcome.gradientNorm,
        "actor/lr": outcome.learningRate,
        "actor/skipped_steps": outcome.skipped ? 1 : 0,
      };
      return {
        traces: [],
        log: { samples: [], updates: [] },
        metrics,
        cursor: cursor + run.batch,
        timings: watch.timings,
      };
    },
  };
}

/**
 * One optimizer step on the mean negative log-prob of the written tokens, before the step.
 * @param cursor the place of the first example in the order of examples, by which a workforce finds them; without it all is computed here
 */
export async function supervisedStep(
  learner: Learner,
  examples: readonly Trajectory[],
  microBatchTokens: number = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
  cursor?: number,
): Promise<StepOutcome> {
  const tokens = examples.reduce(
    (sum, { turns }) => turns.reduce((all, { logProbs }) => all + logProbs.length, sum),
    0,
  );
  let done = 0;
  const alone = examples.map((example) => [example]);
  const pieces = splitByRows(alone, microBatchTokens, (example) => example).map((groups): Piece => {
    const { length: count } = groups.flat();
    done += count;
    const share =
      cursor === undefined ? undefined : ({ kind: "examples", cursor: cursor + done - count, count, tokens } as const);
    return { ...examplesPiece(groups.flat(), tokens), share };
  });
  return learner.step(pieces, signal);
}

/** A part of a step's examples, of which all together have so many written tokens. */
export function examplesPiece(examples: readonly Trajectory[], tokens: number): Piece {
  return {
    groups: [examples], // what their prompts begin with is computed once
    loss: ({ logProb }): Tensor => {
      const weights = logProb.device.tensor(new Float32Array(logProb.size).fill(-1 / tokens), logProb.shape);
      return dot(logProb, weights);
    },
  };
}

/**
 * An episode in which the policy writes the given texts, one a turn; the environment answers as it would.
 * @throws GrpoError `data` where the environment ends the episode before the last text
 */
export async function transcribeEpisode<Content>(
  scribe: Scribe,
  environment: Environment<Content>,
  task: Task<Content>,
  texts: readonly string[],
): Promise<Trajectory> {
  const turns: Turn[] = [];
  const earlier: EarlierTurn[] = [];
  let input: TurnInput | undefined = { freshPrompt: true, blocks: environment.prompt(task) };
  for (const text of texts) {
    if (!input) {
      throw new GrpoError(
        "data",
        `task ${task.id}: the episode ended after turn ${turns.length} of ${texts.length} texts`,
      );
    }
    turns.push(scribe.transcribe(input, text, input.freshPrompt ? undefined : turns.at(-1)));
    const { next, tool } = await environment.step(task, { text }, earlier);
    earlier.push({ text, tool });
    input = next;
  }
  return { turns };
}
