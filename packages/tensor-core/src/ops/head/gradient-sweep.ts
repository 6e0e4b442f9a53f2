// Gradients of everything that goes through the head: slices of the logits are made again, turned into their gradient in place, and
// multiplied on.
import { matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import type { Tensor } from "../../tensor.ts";
import { emptyLike, fill } from "../fill.ts";
import { matmulInto } from "../matmul/dispatch.ts";
import type { LogitSlice } from "./block-states.ts";
import { writeRows } from "./row-slice.ts";
import { chunkOf, forEachSlice, type RowChunk, rowChunks, sliceLogits, sliceStride } from "./slices.ts";

export interface GradientSweep {
  readonly hidden: Tensor;
  readonly weight: Tensor;
  /** Whether the gradients of hidden and of weight are asked for. */
  readonly needs: readonly [boolean, boolean];
  /** Where that of weight is put, if it is there already. */
  readonly into?: Tensor | undefined;
  /** Turns logits of some rows and ids into their gradient, in place. */
  toGradient(logits: LogitSlice, rows: RowChunk): void;
}

/** Gradients by hidden and weight (f32, sharded as the weight is). */
export function headGradients(
  device: Device,
  { hidden, weight, needs, into, toGradient }: GradientSweep,
): readonly [hidden: Tensor | undefined, weight: Tensor | undefined] {
  const [rows, d] = matrixShape(hidden);
  const [vocabulary] = matrixShape(weight);
  if (rows === 0 || d === 0) return [fill(device, hidden.shape, 0), fill(device, weight.shape, 0, weight)];
  const hiddenGradient = needs[0] ? device.empty([rows, d]) : undefined;
  const weightGradient = needs[1] ? (into ?? emptyLike(weight)) : undefined;
  const stride = sliceStride(vocabulary);
  forEachSlice(weight, (slice) => {
    const { firstColumn, columns } = slice;
    const sweep = (ofWeight: Tensor | undefined) => {
      for (const chunk of rowChunks(rows)) {
        const input = chunkOf(hidden, chunk);
        const made = sliceLogits(input, slice, stride);
        toGradient(made, chunk);
        const aColumns = { column: 0, stride };
        if (hiddenGradient) {
          const out = chunkOf(hiddenGradient, chunk);
          const operands = { a: made.logits, b: slice.weight, out, aColumns, accumulate: firstColumn > 0 };
          matmulInto(device, { layout: "nn", ...operands, m: chunk.rows, n: d, k: columns });
          out.dispose();
        }
        if (ofWeight) {
          const operands = { a: made.logits, b: input, out: ofWeight, aColumns, accumulate: chunk.firstRow > 0 };
          matmulInto(device, { layout: "tn", ...operands, m: columns, n: d, k: chunk.rows });
        }
        made.logits.dispose();
        input.dispose();
      }
    };
    if (weightGradient) writeRows(weightGradient, firstColumn, columns, sweep);
    else sweep(undefined);
  });
  return [hiddenGradient, weightGradient];
}
