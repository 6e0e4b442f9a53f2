// One optimizer step from pieces of a mini-batch: the sum of their gradients, then clipping and AdamW. Updates and supervised steps share it.
import type { Trajectory } from "@iapo/rollout-trace";
import {
  AdamW,
  type AdamWOptions,
  allFinite,
  clipByGlobalNorm,
  concat,
  noGrad,
  readClipDecision,
  reshape,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import type { TrainablePolicy } from "../policy.ts";
import type { Workforce } from "../workforce.ts";
import {
  disposeGradients,
  type Gradients,
  type Piece,
  type PieceOutputs,
  sumGradients,
  tensorsOf,
} from "./gradients.ts";

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
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [N] */
  readonly entropies: Float32Array<ArrayBuffer>;
  /** [N] where pieces measure them. */
  readonly divergences: Float32Array<ArrayBuffer> | undefined;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** A log-prob, an entropy, the loss or the gradient was not finite: nothing has changed. */
  readonly skipped: boolean;
  readonly learningRate: number;
}

export class Learner {
  readonly policy: TrainablePolicy;
  readonly optimizer: AdamW;
  /** Optimizer steps so far, skipped ones included. */
  steps = 0;
  /** Those that were not finite: they changed nothing. */
  skipped = 0;
  /** How many of the latest steps were skipped, one after the other. */
  skippedInARow = 0;
  readonly #options: LearnerOptions;
  readonly #workforce: Pick<Workforce, "gradients"> | undefined;
  /** From the latest step. */
  #example: Trajectory | undefined;

  /** @throws GrpoError `argument` for a policy without parameters; TensorError `argument` for a setting out of range */
  constructor(policy: TrainablePolicy, options: LearnerOptions, workforce?: Pick<Workforce, "gradients">) {
    if (policy.parameters.length === 0)
      throw new GrpoError("argument", "the policy has no parameters to train: give it masters or an adapter");
    this.policy = policy;
    this.#options = options;
    this.#workforce = workforce;
    this.optimizer = new AdamW(
      policy.parameters.map(({ master, run }) => ({ master, ...(run === master ? {} : { runCopy: run }) })),
      options.optimizer,
    );
  }

  /**
   * Makes one step; the policy's version rises unless it was skipped. Whether it is applied is decided on the GPU.
   * @throws the reason of the signal where it aborts before the gradients are there: nothing has changed then
   */
  async step(pieces: readonly Piece[], signal?: AbortSignal): Promise<StepOutcome> {
    const { maxNorm = 1 } = this.#options;
    this.#example = pieces[0]?.groups[0]?.[0];
    const learningRate = this.#options.learningRate(this.steps);
    const { device } = this.policy;
    const elsewhere = this.#workforce?.gradients(pieces, signal);
    const made = await device.retryOutOfMemory(
      () => sumGradients(this.policy, pieces, { elsewhere, signal }),
      disposeGradients,
    );
    let clip: Tensor | undefined;
    try {
      clip = this.#apply(made, { finite: pieces.every(({ finite = true }) => finite), maxNorm, learningRate });
      const [{ norm, finite }, read] = await Promise.all([readClipDecision(clip), readOutputs(made.outputs)]);
      this.steps++;
      if (finite) this.policy.version++;
      else this.skipped++;
      this.skippedInARow = finite ? 0 : this.skippedInARow + 1;
      return { ...read, gradientNorm: norm, skipped: !finite, learningRate };
    } finally {
      disposeGradients(made);
      clip?.dispose();
    }
  }

  /** Records the optimizer's step, frees the gradients, and gives what was decided by their norm. */
  #apply(
    { gradients, outputs }: Gradients,
    { finite, maxNorm, learningRate }: { finite: boolean; maxNorm: number; learningRate: number },
  ): Tensor {
    const clip = scope(() => {
      const refused = finite ? [] : [this.policy.device.tensor([Number.NaN], [])];
      const decision = clipByGlobalNorm(gradients, maxNorm, [...outputs.flatMap(tensorsOf), ...refused]);
      this.optimizer.step(gradients, { learningRate, clip: decision });
      return decision;
    });
    for (const tensor of gradients) tensor.dispose();
    return clip;
  }

  /** Whether the weights as they are now are finite, and give finite log-probs and entropies of an example of the latest step. */
  async isFinite(): Promise<boolean> {
    const { policy } = this;
    const packed = this.#example && policy.pack([[this.#example]]);
    const finite = scope(() =>
      noGrad(() => {
        const made = packed?.logProbs();
        const all = [...policy.parameters.map(({ master }) => master), ...(made ? [made.logProb, made.entropy] : [])];
        const flags = all.flatMap((tensor) => tensor.parts()).map(({ tensor }) => reshape(allFinite(tensor), [1]));
        return concat(flags, 0);
      }),
    );
    packed?.dispose();
    const flags = await finite.values();
    finite.dispose();
    return flags.every((flag) => flag === 1);
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}

async function readOutputs(
  outputs: readonly PieceOutputs[],
): Promise<Pick<StepOutcome, "loss" | "logProbs" | "entropies" | "divergences">> {
  const read = await Promise.all(
    outputs.map(({ loss, logProb, entropy, divergence }) =>
      Promise.all([loss.item(), logProb.values(), entropy.values(), divergence?.values()]),
    ),
  );
  const divergences = read.flatMap(([, , , own]) => (own ? [own] : []));
  return {
    loss: read.reduce((sum, [loss]) => sum + loss, 0),
    logProbs: joined(read.map(([, logProbs]) => logProbs)),
    entropies: joined(read.map(([, , entropies]) => entropies)),
    divergences: divergences.length > 0 ? joined(divergences) : undefined,
  };
}

/** The values of the pieces, end to end. */
function joined(pieces: readonly ArrayLike<number>[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const piece of pieces) {
    all.set(piece, start);
    start += piece.length;
  }
  return all;
}
