// One optimizer step from pieces of a mini-batch: gradients add up piece by piece, then clipping and AdamW. Updates and supervised steps share it.
import type { Trajectory } from "@iapo/rollout-trace";
import {
  AdamW,
  type AdamWOptions,
  clipByGlobalNorm,
  type LogProbs,
  readClipDecision,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import type { TrainablePolicy } from "../policy.ts";

/** A part of a mini-batch that is computed in one pass. */
export interface Piece {
  readonly groups: readonly (readonly Trajectory[])[];
  /** This piece's share of the loss: one number. */
  loss(made: LogProbs): Tensor;
}

export interface LearnerOptions {
  /** Of the optimizer step with this number, from 0; skipped ones count. */
  readonly learningRate: (step: number) => number;
  /** Gradients are scaled down to this global norm; default 1. */
  readonly maxNorm?: number | undefined;
  readonly optimizer?: AdamWOptions | undefined;
}

export interface StepOutcome {
  readonly loss: number;
  /** [N] of the whole mini-batch before the step, in the order of the pieces. */
  readonly logProbs: Float32Array;
  /** [N] */
  readonly entropies: Float32Array;
  /** Before clipping; not finite where the step was skipped. */
  readonly gradientNorm: number;
  readonly skipped: boolean;
  readonly learningRate: number;
}

export class Learner {
  readonly policy: TrainablePolicy;
  readonly optimizer: AdamW;
  /** Optimizer steps so far, skipped ones included. */
  steps = 0;
  /** Those whose gradient was not finite: they changed nothing. */
  skipped = 0;
  readonly #options: LearnerOptions;

  constructor(policy: TrainablePolicy, options: LearnerOptions) {
    this.policy = policy;
    this.#options = options;
    this.optimizer = new AdamW(
      policy.parameters.map(({ master, run }) => ({ master, ...(run === master ? {} : { runCopy: run }) })),
      options.optimizer,
    );
  }

  /** Makes one step; the policy's version rises unless it was skipped. */
  async step(pieces: readonly Piece[]): Promise<StepOutcome> {
    const { maxNorm = 1 } = this.#options;
    const learningRate = this.#options.learningRate(this.steps);
    const { gradients, outputs } = this.gradients(pieces);
    const clip = clipByGlobalNorm(gradients, maxNorm);
    this.optimizer.step(gradients, { learningRate, clip });
    for (const gradient of gradients) gradient.dispose();
    const [{ norm, finite }, read] = await Promise.all([readClipDecision(clip), readOutputs(outputs)]);
    clip.dispose();
    this.steps++;
    if (finite) this.policy.version++;
    else this.skipped++;
    return { ...read, gradientNorm: norm, skipped: !finite, learningRate };
  }

  /** Gradients of the sum of the pieces' losses, one per parameter; the caller disposes what is returned. */
  gradients(pieces: readonly Piece[]): { gradients: Tensor[]; outputs: PieceOutputs[] } {
    const sources = this.policy.parameters.map(({ run }) => run);
    const outputs: PieceOutputs[] = [];
    let gradients: Tensor[] | undefined;
    for (const { groups, loss } of pieces) {
      const packed = this.policy.pack(groups);
      try {
        const made = scope(() => {
          const recorded = record(sources, () =>
            scope(() => {
              const { logProb, entropy } = packed.logProbs();
              return { logProb, entropy, loss: loss({ logProb, entropy }) };
            }),
          );
          const own = recorded.backward(recorded.value.loss, gradients ? { into: gradients } : {});
          return { own, value: recorded.value };
        });
        gradients ??= made.own;
        outputs.push(made.value);
      } finally {
        packed.dispose();
      }
    }
    return { gradients: gradients ?? [], outputs };
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}

/** What a piece's pass gave, on the device. */
export interface PieceOutputs {
  readonly loss: Tensor;
  readonly logProb: Tensor;
  readonly entropy: Tensor;
}

async function readOutputs(
  outputs: readonly PieceOutputs[],
): Promise<Pick<StepOutcome, "loss" | "logProbs" | "entropies">> {
  const read = await Promise.all(
    outputs.map(async ({ loss, logProb, entropy }) => {
      const values = await Promise.all([loss.item(), logProb.values(), entropy.values()]);
      for (const tensor of [loss, logProb, entropy]) tensor.dispose();
      return values;
    }),
  );
  return {
    loss: read.reduce((sum, [loss]) => sum + loss, 0),
    logProbs: Float32Array.from(read.flatMap(([, logProbs]) => [...logProbs])),
    entropies: Float32Array.from(read.flatMap(([, , entropies]) => [...entropies])),
  };
}
