// The gradients of one piece of a mini-batch: computed here, or brought by a workforce.
import type { Trajectory } from "@iapo/rollout-trace";
import { addInto, emptyAlike, type LogProbs, neighbors, record, scope, spanOf, type Tensor } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import type { PredictingRows, TrainablePolicy } from "../policy.ts";
import type { ComputedPiece, PieceShare } from "../workforce.ts";

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

interface PieceGradients {
  /** [parameters] f32 */
  readonly gradients: readonly Tensor[];
  readonly outputs: PieceOutputs;
}

/** One forward and backward pass; the caller's scope, or the caller, owns what is returned. */
export function pieceGradients(policy: TrainablePolicy, piece: Piece): PieceGradients {
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
      return { gradients: recorded.backward(recorded.value.loss), outputs: recorded.value };
    });
  } finally {
    packed.dispose();
  }
}

/** Adds `own` to `sum` in place, neighbors at once, and frees it. */
export function added(sum: readonly Tensor[], own: readonly Tensor[]): readonly Tensor[] {
  scope(() => {
    for (const run of neighbors([sum, own])) addInto(spanOf(sum, run), spanOf(own, run));
  });
  for (const tensor of own) tensor.dispose();
  return sum;
}

/** What was computed elsewhere, on the device of the policy. @throws GrpoError `shape` where it is not of these parameters */
export function uploadPiece(policy: TrainablePolicy, computed: ComputedPiece): PieceGradients {
  const { device, parameters } = policy;
  const { logProbs, entropies, loss } = computed;
  if (computed.gradients.length !== parameters.length || logProbs.length !== entropies.length)
    throw new GrpoError(
      "shape",
      `a piece with ${computed.gradients.length} gradients for ${parameters.length} weights`,
    );
  return scope(() => {
    const gradients = emptyAlike(parameters.map(({ run }) => run));
    for (const [i, { name }] of parameters.entries()) put(at(computed.gradients, i), at(gradients, i), name);
    const outputs = {
      loss: device.tensor([loss], []),
      logProb: device.tensor(logProbs, [logProbs.length]),
      entropy: device.tensor(entropies, [entropies.length]),
    };
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

/** A piece computed here, for a workforce's worker to hand back. */
export async function computePiece(policy: TrainablePolicy, piece: Piece): Promise<ComputedPiece> {
  const { device } = policy;
  const { gradients, outputs } = await device.retryOutOfMemory(async () => {
    await device.relieve();
    return device.recordWhole(() => pieceGradients(policy, piece));
  });
  try {
    const [loss, logProbs, entropies, values] = await Promise.all([
      outputs.loss.item(),
      valuesOf(outputs.logProb),
      valuesOf(outputs.entropy),
      Promise.all(gradients.map(valuesOf)),
    ]);
    return { loss, logProbs, entropies, gradients: values };
  } finally {
    for (const tensor of [...gradients, ...Object.values(outputs)]) tensor.dispose();
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
