// Changes to logits before sampling: repetition penalty and bias, both sparse.
import { matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { aligned } from "../aligned.ts";
import { grid, perItemHead } from "../wgsl.ts";

/** Numbers added to the logits of some ids. */
export interface TokenBias {
  /** u32 [count], distinct. */
  readonly ids: Tensor;
  /** f32 [count]. */
  readonly values: Tensor;
}

/** Uploads a bias by id. Throws `argument` for an id outside the vocabulary or a number that is not finite. */
export function tokenBias(device: Device, vocabulary: number, biases: ReadonlyMap<number, number>): TokenBias {
  for (const [id, value] of biases) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary || !Number.isFinite(value))
      throw new TensorError("argument", `bias ${value} of id ${id} does not fit a vocabulary of ${vocabulary}`);
  }
  const ids = Uint32Array.from(biases.keys());
  return { ids: device.tensor(ids, [ids.length]), values: device.tensor([...biases.values()], [ids.length]) };
}

/** Keskar et al., "CTRL" (2019): logits of ids that occurred are divided by `factor` where positive, else multiplied by it. */
export interface RepetitionPenalty {
  /**
   * u32 [length, n]: column r lists the ids that row r has seen, in any order; an id may occur many times and counts once, an id outside
   * the vocabulary is no id. One more token a row is one more row of the matrix, so that it can be appended without a readback.
   */
  readonly ids: Tensor;
  /** Above 0; 1 changes nothing. */
  readonly factor: number;
}

const penaltyKernel = defineKernel(() => ({
  name: "sample_penalty",
  reads: { logits: "f32", ids: "u32" },
  writes: { adjusted: "f32" },
  uniforms: { items: "u32", rows: "u32", vocabulary: "u32", factor: "f32" },
  code: `${perItemHead}
  if (i >= P.items || ids[i] >= P.vocabulary) { return; }
  let at = (i % P.rows) * P.vocabulary + ids[i];
  let logit = logits[at];
  adjusted[at] = select(logit * P.factor, logit / P.factor, logit > 0.0);
}`,
}));

const biasKernel = defineKernel(() => ({
  name: "sample_bias",
  reads: { ids: "u32", values: "f32" },
  writes: { adjusted: "f32" },
  uniforms: { items: "u32", count: "u32", vocabulary: "u32" },
  code: `${perItemHead}
  if (i >= P.items) { return; }
  let at = (i / P.count) * P.vocabulary + ids[i % P.count];
  adjusted[at] = adjusted[at] + values[i % P.count];
}`,
}));

/** A changed copy of logits [n, vocabulary]: the penalty first, then the bias. Runs in a scope. */
export function adjustedLogits(
  logits: Tensor,
  penalty: RepetitionPenalty | undefined,
  bias: TokenBias | undefined,
): Tensor {
  const { device } = logits;
  const [rows, vocabulary] = matrixShape(logits);
  const adjusted = device.empty(logits.shape);
  device.copyBytes(logits, 0, adjusted, 0, logits.bytes);
  if (penalty) {
    const items = penalty.ids.size;
    device.dispatch(penaltyKernel(), {
      reads: [logits, aligned(penalty.ids, [])],
      writes: [adjusted],
      uniforms: [items, rows, vocabulary, penalty.factor],
      groups: grid(device, items),
    });
  }
  if (bias) {
    const items = rows * bias.ids.size;
    device.dispatch(biasKernel(), {
      reads: [bias.ids, bias.values],
      writes: [adjusted],
      uniforms: [items, bias.ids.size, vocabulary],
      groups: grid(device, items),
    });
  }
  return adjusted;
}
