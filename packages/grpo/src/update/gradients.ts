// The gradients of a mini-batch's pieces: computed here, or brought by a workforce, and added up in the order of the pieces.
import type { Trajectory } from "@iapo/rollout-trace";
import { addInto, emptyAlike, type LogProbs, neighbors, record, scope, spanOf, type Tensor } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import type { PredictingRows, TrainablePolicy } from "../policy.ts";
import { unlessAborted } from "../unless-aborted.ts";
import type { ComputedPieces, GradientPart, PieceShare } from "../workforce.ts";

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
  /** What its loss takes beside the log-probs, where a workforce can make the loss of it. */
  readonly share?: PieceShare | undefined;
  /** This piece's share of the loss: one number. */
  loss(made: LogProbs & { readonly divergence?: Tensor | undefined }): Tensor;
}

/** What a piece's pass gave, on the device. */
export interface PieceOutputs {
  readonly loss: Tensor;
  readonly logProb: Tensor;
  readonly entropy: Tensor;
  readonly divergence?: Tensor | undefined;
}

/** Of pieces together. */
export interface Gradients {
  /** One per parameter, f32; none where there was no piece. */
  readonly gradients: readonly Tensor[];
  /** By piece. */
  readonly outputs: readonly PieceOutputs[];
}

interface SumOptions {
  /** Default all of them here. */
  readonly elsewhere?: readonly GradientPart[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gradients of the sum of the pieces' losses: those of the first piece, to which each other's are added in the order of the pieces. The caller
 * disposes what is returned.
 * @throws GrpoError `shape`, `argument` for what a workforce gave; the reason of the signal, for which the device is waited for
 */
export async function sumGradients(
  policy: TrainablePolicy,
  pieces: readonly Piece[],
  { elsewhere = pieces.map(() => here), signal }: SumOptions = {},
): Promise<Gradients> {
  const made: { gradients: readonly Tensor[]; outputs: PieceOutputs[] } = { gradients: [], outputs: [] };
  const { device } = policy;
  const add = async (make: () => Gradients): Promise<void> => {
    await unlessAborted(device.relieve(), signal);
    device.recordWhole(() => {
      const own = make();
      made.gradients = made.outputs.length === 0 ? own.gradients : added(made.gradients, own.gradients);
      made.outputs.push(...own.outputs);
    });
  };
  try {
    for (const part of elsewhere) {
      const first = made.outputs.length;
      if (part.pieces !== 1 && first > 0)
        throw new GrpoError(
          "argument",
          `pieces ${first} to ${first + part.pieces - 1} came as one sum, which only the first may`,
        );
      const computed = await part.computed;
      if (computed) await add(() => uploadPieces(policy, computed, part.pieces));
      else for (const piece of pieces.slice(first, first + part.pieces)) await add(() => pieceGradients(policy, piece));
    }
    if (made.outputs.length !== pieces.length)
      throw new GrpoError("argument", `${made.outputs.length} pieces came of ${pieces.length}`);
    if (signal) await unlessAborted(device.idle(), signal);
    return made;
  } catch (error) {
    disposeGradients(made);
    throw error;
  }
}

const here: GradientPart = { pieces: 1, computed: Promise.resolve(undefined) };

export function disposeGradients({ gradients, outputs }: Gradients): void {
  for (const tensor of [...gradients, ...outputs.flatMap(tensorsOf)]) tensor.dispose();
}

export function tensorsOf({ loss, logProb, entropy, divergence }: PieceOutputs): Tensor[] {
  return [loss, logProb, entropy, ...(divergence ? [divergence] : [])];
}

/** One forward and backward pass; the caller owns what is returned. */
function pieceGradients(policy: TrainablePolicy, piece: Piece): Gradients {
  const sources = policy.parameters.map(({ run }) => run);
  const packed = policy.pack(piece.groups);
  try {
    return scope(() => {
      const measure = piece.divergence?.();
      const recorded = record(sources, () =>
        scope((): PieceOutputs => {
          const { rows = [], ...outputs } = packed.logProbs(measure && { keepRows: true });
          const all = measure ? { ...outputs, divergence: measure(rows) } : outputs;
          return { ...all, loss: piece.loss(all) };
        }),
      );
      return { gradients: recorded.backward(recorded.value.loss), outputs: [recorded.value] };
    });
  } finally {
    packed.dispose();
  }
}

/** Adds `own` to `sum` in place, neighbors at once, and frees it. */
function added(sum: readonly Tensor[], own: readonly Tensor[]): readonly Tensor[] {
  scope(() => {
    for (const run of neighbors([sum, own])) addInto(spanOf(sum, run), spanOf(own, run));
  });
  for (const tensor of own) tensor.dispose();
  return sum;
}

/** What was computed elsewhere, on the device of the policy. @throws GrpoError `shape` where it is not of these parameters, or of other pieces */
function uploadPieces(policy: TrainablePolicy, computed: ComputedPieces, pieces: number): Gradients {
  const { device, parameters } = policy;
  if (computed.gradients.length !== parameters.length || computed.outputs.length !== pieces)
    throw new GrpoError(
      "shape",
      `${computed.outputs.length} pieces with ${computed.gradients.length} gradients, for ${pieces} with ${parameters.length} weights`,
    );
  return scope(() => {
    const gradients = emptyAlike(parameters.map(({ run }) => run));
    for (const [i, { name }] of parameters.entries()) put(at(computed.gradients, i), at(gradients, i), name);
    const outputs = computed.outputs.map(({ loss, logProbs, entropies }) => ({
      loss: device.tensor([loss], []),
      logProb: device.tensor(logProbs, [logProbs.length]),
      entropy: device.tensor(entropies, [entropies.length]),
    }));
    return { gradients, outputs };
  });
}

function put(values: Float32Array<ArrayBuffer>, gradient: Tensor, name: string): void {
  if (values.length !== gradient.size)
    throw new GrpoError("shape", `the gradient of ${name} has ${values.length} values, not ${gradient.size}`);
  let start = 0;
  for (const { tensor } of gradient.parts()) {
    tensor.write(values.subarray(start, start + tensor.size));
    start += tensor.size;
  }
}

/** Pieces computed here, for a workforce's worker to hand back. */
export async function computePieces(policy: TrainablePolicy, pieces: readonly Piece[]): Promise<ComputedPieces> {
  const { device } = policy;
  const made = await device.retryOutOfMemory(() => sumGradients(policy, pieces), disposeGradients);
  try {
    const [gradients, outputs] = await Promise.all([
      Promise.all(made.gradients.map(valuesOf)),
      Promise.all(
        made.outputs.map(async ({ loss, logProb, entropy }) => {
          const [value, logProbs, entropies] = await Promise.all([loss.item(), valuesOf(logProb), valuesOf(entropy)]);
          return { loss: value, logProbs, entropies };
        }),
      ),
    ]);
    return { gradients, outputs };
  } finally {
    disposeGradients(made);
    device.trimPhase();
  }
}

async function valuesOf(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  const values = new Float32Array(tensor.size);
  let start = 0;
  for (const { tensor: part } of tensor.parts()) {
    values.set((await part.values()) as Float32Array, start);
    start += part.size;
  }
  return values;
}
