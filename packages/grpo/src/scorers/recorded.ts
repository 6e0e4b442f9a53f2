// What scorers answered, kept as evidence of the traces that were asked about, so that a replay gives the same answers without a model.
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import type { Scorers, TokenScorer } from "./types.ts";

type Evidence = Readonly<Record<string, readonly number[]>>;
type Name = "policy" | "teacher";
type Kind = "log_probs" | "first_turn";

const nameOf = ({ group, sample }: Pick<Trace<ImageRef>, "group" | "sample">): string => `${group}/${sample}`;

/** Numbers the answers of a kind that a trace has: `teacher_log_probs`, then `teacher_log_probs.1`. */
class Counter {
  readonly #counts = new Map<string, number>();

  next(trace: Trace, who: Name, kind: Kind): string {
    const key = `${nameOf(trace)} ${who} ${kind}`;
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    return `${who}_${kind}${count === 0 ? "" : `.${count}`}`;
  }
}

export interface Recording {
  readonly scorers: Scorers;
  /** What was answered about a trace; a text as its UTF-16 code units. */
  evidenceOf(trace: Trace): Evidence;
}

export function recordingScorers({ policy, teacher }: Scorers): Recording {
  const kept = new Map<string, Record<string, readonly number[]>>();
  const counter = new Counter();
  const keep = (trace: Trace, who: Name, kind: Kind, values: readonly number[]): void => {
    const own = kept.get(nameOf(trace)) ?? {};
    kept.set(nameOf(trace), own);
    own[counter.next(trace, who, kind)] = values;
  };
  const recording = (scorer: TokenScorer, who: Name): TokenScorer => ({
    async logProbs(requests) {
      const answers = await scorer.logProbs(requests);
      for (const [i, { trace }] of requests.entries()) keep(trace, who, "log_probs", [...at(answers, i)]);
      return answers;
    },
    async firstTurns(traces) {
      const texts = await scorer.firstTurns(traces);
      for (const [i, trace] of traces.entries()) keep(trace, who, "first_turn", unitsOf(at(texts, i)));
      return texts;
    },
  });
  return {
    scorers: { policy: recording(policy, "policy"), teacher: teacher && recording(teacher, "teacher") },
    evidenceOf: (trace) => kept.get(nameOf(trace)) ?? {},
  };
}

/**
 * Scorers that answer as those of the run did. They throw GrpoError `data` where the evidence has no such answer.
 * @param hasTeacher whether the run had one
 */
export function recordedScorers(evidenceOf: (trace: Trace) => Evidence, hasTeacher: boolean): Scorers {
  const counter = new Counter();
  const recorded = (who: Name): TokenScorer => {
    const answer = (trace: Trace, kind: Kind): readonly number[] => {
      const name = counter.next(trace, who, kind);
      const found = evidenceOf(trace)[name];
      if (found) return found;
      throw new GrpoError("data", `group ${trace.group}, sample ${trace.sample} has no evidence called ${name}`);
    };
    return {
      logProbs: async (requests) => requests.map(({ trace }) => Float32Array.from(answer(trace, "log_probs"))),
      firstTurns: async (traces) => traces.map((trace) => textOf(answer(trace, "first_turn"))),
    };
  };
  return { policy: recorded("policy"), teacher: hasTeacher ? recorded("teacher") : undefined };
}

const unitsOf = (text: string): number[] => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
const textOf = (units: readonly number[]): string => units.map((unit) => String.fromCharCode(unit)).join("");
