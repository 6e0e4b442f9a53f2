// Deletion and insertion: whether the score falls when the units said to matter go, and rises when they come back.

import { type Baseline, baselineRows } from "./baseline.ts";
import { at } from "./checked.ts";
import { AttributionError } from "./error.ts";
import { normalizedArea, type Partition, replacedUnits, tokensOfUnits } from "./math/index.ts";
import type { DifferentiableModel } from "./model.ts";
import { replacedScores } from "./replaced.ts";

export interface FaithfulnessCurve {
  /** [units + 1] S with 0, 1, ... units replaced (deletion) or put back (insertion), from the highest score to the lowest. */
  readonly values: Float64Array;
  /** Area between 0 (as the baseline) and 1 (as the whole prompt) on average; low is good for deletion, high for insertion. */
  readonly area: number;
}

export interface FaithfulnessOptions {
  /** Default `mean_by_kind`. */
  readonly baseline?: Baseline;
  readonly rowsPerPass?: number;
}

/**
 * Both curves of one response for any scores of the partition's units. Tokens of no unit stay as they are.
 * @throws AttributionError `argument` unless there is one response with a target and one score for each unit
 */
export async function faithfulness<Input>(
  model: DifferentiableModel<Input>,
  input: Input,
  partition: Partition,
  blockScores: ArrayLike<number>,
  { baseline = "mean_by_kind", rowsPerPass }: FaithfulnessOptions = {},
): Promise<Record<"deletion" | "insertion", FaithfulnessCurve>> {
  const embedded = model.embed(input);
  try {
    const { targets, embeddings } = embedded;
    const fits = partition.unitOfToken.length === embeddings.shape[0] && blockScores.length === partition.names.length;
    if (targets.length !== 1 || targets[0] === 0 || !fits || blockScores.length === 0) {
      throw new AttributionError(
        "argument",
        "a faithfulness curve takes one response with target tokens, and a score for each unit of its prompt",
      );
    }
    const tokens = tokensOfUnits(partition);
    const tokensOf = (units: readonly number[]): number[] => units.flatMap((u) => at(tokens, u)).sort((a, b) => a - b);
    const replacedBy = (kind: "deletion" | "insertion") => replacedUnits(kind, blockScores).map(tokensOf);
    const [deletion, insertion] = [replacedBy("deletion"), replacedBy("insertion")];
    using rows = baselineRows(model, embedded, baseline);
    const all = [...deletion, ...insertion];
    const { whole, variants } = await replacedScores(model, embedded, rows, all, rowsPerPass);
    const scores = Float64Array.from(variants, (variant) => at(variant, 0).sum);
    const points = deletion.length;
    const curve = (values: Float64Array): FaithfulnessCurve => ({
      values,
      area: normalizedArea(values, at(whole, 0).sum, at(scores, points - 1)),
    });
    return { deletion: curve(scores.slice(0, points)), insertion: curve(scores.slice(points)) };
  } finally {
    embedded.dispose();
  }
}
