// A turn while it is being sampled.
import type { Seed } from "@iapo/tensor-core";
import { QwenVLError } from "../error.ts";
import type { GeneratedTurn, GenerateRequest } from "./request.ts";
import { findEnd } from "./stop.ts";

/** A response of a session: what it has in the cache, and where it goes on. */
export interface Response {
  readonly prompt: number;
  /** Rows in the cache behind the prompt, and where they start. */
  start: number;
  count: number;
  nextPosition: number;
  /** Sampled last, not in the cache yet. */
  pending: number | undefined;
  turns: number;
  /** Ids that it holds: those of its prompt, of earlier turns and of what was appended. */
  readonly seen: Set<number>;
}

export interface Draft {
  /** Its number among the session's responses, and in what callers hear. */
  readonly index: number;
  readonly response: Response;
  readonly seed: Seed;
  /** `[maxTokens]` each, parts of one array for all drafts; `count` are written. */
  readonly tokens: Int32Array;
  readonly logProbs: Float32Array;
  count: number;
  turn: GeneratedTurn | undefined;
}

/** Ids of the whole response, of this turn too. */
export function seenBy({ response, tokens, count }: Draft): ReadonlySet<number> {
  return new Set([...response.seen, ...tokens.subarray(0, count)]);
}

/** Throws `option` where seeds and responses differ in number. */
export function draftsOf(responses: readonly Response[], { seeds, stop }: GenerateRequest): Draft[] {
  const { maxTokens } = stop;
  if (seeds.length !== responses.length) {
    throw new QwenVLError("option", `${responses.length} responses need as many seeds, not ${seeds.length}`);
  }
  const tokens = new Int32Array(responses.length * maxTokens);
  const logProbs = new Float32Array(responses.length * maxTokens);
  const seedOf = seeds.values();
  return responses.map((response, index) => {
    const [start, end] = [index * maxTokens, (index + 1) * maxTokens];
    const own = { tokens: tokens.subarray(start, end), logProbs: logProbs.subarray(start, end) };
    return { index, response, seed: seedOf.next().value ?? [0, 0], ...own, count: 0, turn: undefined };
  });
}

/**
 * Takes what a chunk sampled, `[steps, drafts]` in both arrays, and ends those drafts that are complete. Throws `not_finite` where a log-prob is
 * none: sampling from such logits would give token 0.
 */
export function takeChunk(
  drafts: readonly Draft[],
  ids: Uint32Array,
  values: Float32Array,
  { stop, version }: GenerateRequest,
): void {
  const steps = ids.length / drafts.length;
  for (const [row, draft] of drafts.entries()) {
    const before = draft.count;
    for (let step = 0; step < steps; step++, draft.count++) {
      draft.tokens[draft.count] = ids[step * drafts.length + row] ?? 0;
      draft.logProbs[draft.count] = values[step * drafts.length + row] ?? Number.NaN;
    }
    const end = findEnd(draft.tokens.subarray(0, draft.count), before, stop);
    const count = end?.count ?? draft.count;
    const broken = draft.logProbs.subarray(before, count).findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      const place = `token ${before + broken} of response ${draft.index}`;
      const weights = version === undefined ? "" : ` under the weights of version ${version}`;
      throw new QwenVLError(
        "not_finite",
        `${place}${weights}: the logits are not finite; the weights or the image hold such a value, or the temperature is too close to 0`,
      );
    }
    draft.count = count;
    if (!end) continue;
    draft.turn = {
      tokens: draft.tokens.slice(0, count),
      logProbs: draft.logProbs.slice(0, count),
      reason: end.reason,
      nextPosition: draft.response.nextPosition + count,
    };
  }
}
