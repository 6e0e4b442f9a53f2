// What a teacher finds likeliest at every token of traces, asked before the update: after it the teacher may leave the device.
import { joinSampledTokens, type Trajectory } from "@iapo/rollout-trace";
import { noGrad, scope, topLogProbs } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import type { PredictingRows, Scorer } from "../policy.ts";
import { splitByRows } from "../update/split.ts";
import type { LikeliestIds } from "./divergence.ts";

/** A teacher; `bannedIds` are ids that it never writes. */
export type LikeliestTeacher = Scorer & { readonly bannedIds?: readonly number[] | undefined };

/**
 * By group and trace.
 * @throws GrpoError `argument` for a teacher that shows no distributions, or whose log-probs are not finite; TensorError `argument` for a k above the vocabulary
 */
export async function likeliestIds(
  teacher: LikeliestTeacher,
  groups: readonly (readonly Trajectory[])[],
  k: number,
  microBatchTokens: number = Number.POSITIVE_INFINITY,
): Promise<LikeliestIds[][]> {
  const made: LikeliestIds[] = [];
  for (const piece of splitByRows(groups, microBatchTokens, (trace) => trace)) {
    const { ids, logProbs } = await likeliestOf(teacher, piece, k);
    const { offsets } = joinSampledTokens(piece.flat());
    for (let trace = 0; trace + 1 < offsets.length; trace++) {
      const [from, to] = [k * at(offsets, trace), k * at(offsets, trace + 1)];
      made.push({ ids: ids.subarray(from, to), logProbs: logProbs.subarray(from, to) });
    }
  }
  let done = 0;
  return groups.map(({ length }) => {
    done += length;
    return made.slice(done - length, done);
  });
}

async function likeliestOf(
  teacher: LikeliestTeacher,
  piece: readonly (readonly Trajectory[])[],
  k: number,
): Promise<LikeliestIds> {
  const packed = teacher.pack(piece);
  try {
    const found = noGrad(() =>
      scope(() => {
        const { rows } = packed.logProbs({ keepRows: true });
        return teacherRows(rows).map(({ hidden, head, temperature, bannedIds, ...places }) => {
          const banned = [...new Set([...bannedIds, ...(teacher.bannedIds ?? [])])];
          return { ...places, top: topLogProbs(hidden, head, k, { temperature, bannedIds: banned }) };
        });
      }),
    );
    const count = found.reduce((total, { tokens }) => total + tokens.length, 0);
    const all = { ids: new Int32Array(count * k), logProbs: new Float32Array(count * k) };
    for (const { top, rows, tokens } of found) {
      using ids = top.ids;
      using logProbs = top.logProbs;
      const values = [await ids.values(), await logProbs.values()] as const;
      if (!values[1].every(Number.isFinite))
        throw new GrpoError(
          "argument",
          "the teacher's log-probs are not finite: its weights, or its dtype, are at fault",
        );
      tokens.forEach((token, i) => {
        const start = at(rows, i) * k;
        all.ids.set(values[0].subarray(start, start + k), token * k);
        all.logProbs.set(values[1].subarray(start, start + k), token * k);
      });
    }
    return all;
  } finally {
    packed.dispose();
  }
}

/** @throws GrpoError `argument` for a model whose pass gives log-probs only */
export function teacherRows(rows: readonly PredictingRows[] | undefined): readonly PredictingRows[] {
  if (rows) return rows;
  throw new GrpoError("argument", "the teacher shows no distributions, which distillation by loss needs");
}
