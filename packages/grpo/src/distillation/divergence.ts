// The divergence of student and teacher at every sampled token, on the device. Reference in f64: `../math/distillation.ts`.
import {
  add,
  clamp,
  concat,
  type DivergenceDirection,
  exp,
  gatherRows,
  headDivergence,
  log,
  logProbs,
  multiply,
  negate,
  RowIndex,
  reshape,
  subtract,
  sum,
  type Tensor,
} from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import { LEAST_REST } from "../math/distillation.ts";
import type { PredictingRows } from "../policy.ts";

/** [N] over the whole vocabulary. @throws GrpoError `shape` unless both have the same tokens; TensorError `argument` as `headDivergence` */
export function wholeDivergence(
  student: readonly PredictingRows[],
  teacher: readonly PredictingRows[],
  direction: DivergenceDirection,
): Tensor {
  const ofRows = student.map(({ hidden, head, temperature, bannedIds, rows }, i) => {
    const other = teacher[i];
    if (!other || other.rows.join() !== rows.join())
      throw new GrpoError("shape", "student and teacher do not predict the same tokens");
    return headDivergence(hidden, head, other.hidden, other.head, { direction, temperature, bannedIds });
  });
  return byToken(student, ofRows);
}

/** A teacher's likeliest ids at T tokens, [T, k] each, and their log-probs. */
export interface LikeliestIds {
  readonly ids: Int32Array;
  readonly logProbs: Float32Array;
}

/** [N] over the teacher's k likeliest ids and all others as one. `likeliest`: at the N tokens, in their order. */
export function topDivergences(
  student: readonly PredictingRows[],
  likeliest: LikeliestIds,
  k: number,
  direction: DivergenceDirection,
): Tensor {
  const ofRows = student.map(({ hidden, head, temperature, bannedIds, rows, tokens }) => {
    const [count = 0] = hidden.shape;
    const ids = new Int32Array(count * k);
    const teacher = new Float32Array(count * k);
    rows.forEach((row, i) => {
      const start = at(tokens, i) * k;
      ids.set(likeliest.ids.subarray(start, start + k), row * k);
      teacher.set(likeliest.logProbs.subarray(start, start + k), row * k);
    });
    const pairs = { rows: Int32Array.from(ids, (_, i) => Math.floor(i / k)), targets: ids };
    const { logProb } = logProbs(hidden, head, pairs, { temperature, bannedIds });
    return rowDivergence(reshape(logProb, [count, k]), teacher, direction);
  });
  return byToken(student, ofRows);
}

/** [rows] from log-probs [rows, k] of student and teacher. */
function rowDivergence(student: Tensor, teacherLogProbs: Float32Array, direction: DivergenceDirection): Tensor {
  const { device, shape } = student;
  const [rows = 0, k = 0] = shape;
  const rests = Float32Array.from({ length: rows }, (_, row) => {
    const own = teacherLogProbs.subarray(row * k, (row + 1) * k);
    return Math.max(LEAST_REST, 1 - own.reduce((total, logProb) => total + Math.exp(logProb), 0));
  });
  const teacher = device.tensor(teacherLogProbs, [rows, k]);
  const rest = device.tensor(rests, [rows]);
  const ownRest = clamp(add(negate(sum(exp(student), 1)), 1), LEAST_REST, 1);
  const ofRest = subtract(log(ownRest), log(rest));
  const difference = subtract(student, teacher);
  return direction === "reverse"
    ? add(sum(multiply(exp(student), difference), 1), multiply(ownRest, ofRest))
    : negate(add(sum(multiply(exp(teacher), difference), 1), multiply(rest, ofRest)));
}

/** From a number by row of each class to one by token. */
function byToken(classes: readonly PredictingRows[], ofRows: readonly Tensor[]): Tensor {
  const places = Int32Array.from(classes.flatMap(({ tokens }) => [...tokens]));
  const order = new Int32Array(places.length);
  places.forEach((token, place) => {
    order[token] = place;
  });
  const parts = classes.map(({ rows }, i) => taken(at(ofRows, i), rows));
  return reshape(taken(concat(parts, 0), order), [order.length]);
}

/** [m, 1] the elements of a vector at some places. */
function taken(values: Tensor, places: Int32Array): Tensor {
  const { device, size } = values;
  return gatherRows(reshape(values, [size, 1]), RowIndex.of(device, places, size));
}
