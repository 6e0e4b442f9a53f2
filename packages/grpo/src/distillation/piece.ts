// The divergence of a piece of a mini-batch: the teacher's share before the policy's pass, so that its activations are gone by then.
import { noGrad, scope, type Tensor } from "@iapo/tensor-core";
import type { PredictingRows, Scorer } from "../policy.ts";
import type { ScoredGroup } from "../update/tokens.ts";
import { topDivergences, wholeDivergence } from "./divergence.ts";
import { teacherRows } from "./likeliest.ts";
import type { LossDistillation } from "./settings.ts";

/** Made within a scope that ends behind the backward pass. */
export function pieceDivergence(
  { settings, teacher }: { readonly settings: LossDistillation; readonly teacher: Scorer },
  piece: readonly ScoredGroup[],
): (rows: readonly PredictingRows[]) => Tensor {
  const { direction, topK } = settings;
  if (topK !== undefined) {
    const likeliest = joined(piece.flat().flatMap((scored) => scored.likeliest ?? []));
    return (rows) => topDivergences(teacherRows(rows), likeliest, topK, direction);
  }
  const packed = teacher.pack(piece.map((group) => group.map(({ trace }) => trace)));
  try {
    const { rows: taught } = noGrad(() =>
      scope(() => ({ rows: teacherRows(packed.logProbs({ keepRows: true }).rows) })),
    );
    return (rows) => wholeDivergence(rows, taught, direction);
  } finally {
    packed.dispose();
  }
}

function joined(parts: readonly { readonly ids: Int32Array; readonly logProbs: Float32Array }[]) {
  return {
    ids: Int32Array.from(parts.flatMap(({ ids }) => [...ids])),
    logProbs: Float32Array.from(parts.flatMap(({ logProbs }) => [...logProbs])),
  };
}
