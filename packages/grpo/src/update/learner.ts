// One optimizer step from pieces of a mini-batch: gradients add up piece by piece, then clipping and AdamW. Updates and supervised steps share it.
import type { Trajectory } from "@iapo/rollout-trace";
import {
  AdamW,
  type AdamWOptions,
  allFinite,
  clipByGlobalNorm,
  concat,
  type LogProbs,
  noGrad,
  readClipDecision,
  record,
  reshape,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import type { PredictingRows, TrainablePolicy } from "../policy.ts";
import { unlessAborted } from "../unless-aborted.ts";

/** A part of a mini-batch that is computed in one pass. */
export interface Piece {
  readonly groups: readonly (readonly Trajectory[])[];
  /** False where a constant of its loss is not finite: the step is then not applied. Default true. */
  readonly finite?: boolean;
  /**
   * Begins what is measured of each token's whole distribution, and goes on with the rows of the policy's pass: [N], on the tape. Undefined
   * where nothing is.
   */
  readonly divergence?: (() => (rows: readonly PredictingRows[]) => Tensor) | undefined;
  /** This piece's share of the loss: one number. */
  loss(made: LogProbs & { readonly divergence?: Tensor | undefined }): Tensor;
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
  /** From the latest step. */
  #example: Trajectory | undefined;

  /** @throws GrpoError `argument` for a policy without parameters; TensorError `argument` for a setting out of range */
  constructor(policy: TrainablePolicy, options: LearnerOptions) {
    if (policy.parameters.length === 0)
      throw new GrpoError("argument", "the policy has no parameters to train: give it masters or an adapter");
    this.policy = policy;
    this.#options = options;
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
    const made = await device.retryOutOfMemory(() => this.gradients(pieces, signal), disposeAll);
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
      disposeAll(made);
      clip?.dispose();
    }
  }

  /** Records the optimizer's step, frees the gradients, and gives what was decided by their norm. */
  #apply(
    { gradients, outputs }: Gradients,
    { finite, maxNorm, learningRate }: { finite: boolean; maxNorm: number; learningRate: number },
  ): Tensor {
    const clip = scope(() => {
      const constants = this.policy.device.tensor([finite ? 0 : Number.NaN], []);
      const decision = clipByGlobalNorm(gradients, maxNorm, [...outputs.flatMap(tensorsOf), constants]);
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

  /**
   * Gradients of the sum of the pieces' losses, one per parameter; the caller disposes what is returned.
   * @throws the reason of the signal, for which the device is waited for
   */
  async gradients(pieces: readonly Piece[], signal?: AbortSignal): Promise<Gradients> {
    const made: { gradients: Tensor[]; outputs: PieceOutputs[] } = { gradients: [], outputs: [] };
    const { device } = this.policy;
    try {
      for (const piece of pieces) {
        await unlessAborted(device.relieve(), signal);
        device.recordWhole(() => this.#addGradients(piece, made));
      }
      if (signal) await unlessAborted(device.idle(), signal);
      return made;
    } catch (error) {
      disposeAll(made);
      throw error;
    }
  }

  #addGradients(piece: Piece, made: { gradients: Tensor[]; outputs: PieceOutputs[] }): void {
    const { groups, loss } = piece;
    const sources = this.policy.parameters.map(({ run }) => run);
    const packed = this.policy.pack(groups);
    try {
      const { own, value } = scope(() => {
        const measure = piece.divergence?.();
        const recorded = record(sources, () =>
          scope((): PieceOutputs => {
            const { rows = [], ...outputs } = packed.logProbs(measure && { keepRows: true });
            const all = measure ? { ...outputs, divergence: measure(rows) } : outputs;
            return { ...all, loss: loss(all) };
          }),
        );
        const into = made.outputs.length > 0 ? { into: made.gradients } : {};
        return { own: recorded.backward(recorded.value.loss, into), value: recorded.value };
      });
      made.gradients = own;
      made.outputs.push(value);
    } finally {
      packed.dispose();
    }
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
  readonly divergence?: Tensor | undefined;
}

function tensorsOf({ loss, logProb, entropy, divergence }: PieceOutputs): Tensor[] {
  return [loss, logProb, entropy, ...(divergence ? [divergence] : [])];
}

/** Of all pieces together. */
export interface Gradients {
  /** One per parameter; none where there was no piece. */
  readonly gradients: readonly Tensor[];
  /** By piece. */
  readonly outputs: readonly PieceOutputs[];
}

function disposeAll({ gradients, outputs }: Gradients): void {
  for (const tensor of [...gradients, ...outputs.flatMap(tensorsOf)]) tensor.dispose();
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
