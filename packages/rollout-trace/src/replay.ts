// Recomputes a step's way from rewards to loss out of its traces, and compares it with what was logged. No GPU.
import type { ImageRef } from "./image.ts";
import { sampledTokens } from "./sampled.ts";
import type { SampleKey, SampleLog, Step, TurnAdvantage, UpdateLog } from "./step.ts";
import type { Trace } from "./trace.ts";

export interface ReplayedSample {
  readonly trace: Trace<ImageRef>;
  readonly rewards: Readonly<Record<string, number>>;
  readonly penalty: number;
  /** Outcome reward minus penalty; NaN where the sample could not be scored. */
  readonly shapedReward: number;
  /** What the penalty was computed from, as it was logged. */
  readonly evidence?: SampleLog["evidence"];
}

/** One sample of a mini-batch; T = its sampled tokens over all turns. */
export type ReplayedUpdate = readonly (ReplayedSample & {
  /** [turns] as recomputed. */
  readonly advantages: readonly TurnAdvantage[];
  /** [T] */
  readonly turnOfToken: Int32Array;
  readonly logProbs: Float32Array;
  readonly oldLogProbs: Float32Array;
  /** As the rollout measured them. */
  readonly rolloutLogProbs: Float32Array;
  readonly referenceLogProbs: Float32Array | undefined;
  readonly divergences?: Float32Array | undefined;
})[];

/** The run's own functions, so that what is checked is what ran. What they throw is passed on. */
export interface ReplayFunctions {
  /** Rewards by part; `outcome` is the reward, missing where the sample could not be scored. */
  readonly rewards: (
    trace: Trace<ImageRef>,
  ) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
  /** What is taken off the outcome reward. */
  readonly penalty: (trace: Trace<ImageRef>, evidence: Readonly<Record<string, readonly number[]>>) => number;
  /** [samples][turns] from all samples of the step. */
  readonly advantage: (samples: readonly ReplayedSample[]) => readonly (readonly TurnAdvantage[])[];
  readonly loss: (update: ReplayedUpdate) => number;
}

/** The first number that differs, in the order of computing: every later one may differ because of it. */
export interface ReplayDifference {
  readonly what: "samples" | "reward" | "penalty" | "shapedReward" | "advantage" | "logProbs" | "loss";
  readonly group?: number | undefined;
  readonly sample?: number | undefined;
  /** Of a loss: index of the optimizer step. */
  readonly update?: number | undefined;
  readonly logged: number | undefined;
  readonly replayed: number | undefined;
  readonly message: string;
}

/** A number that is compared, equal or not. */
export type ReplayComparison = Omit<ReplayDifference, "message"> & {
  /** Which of several: the part of a reward, the turn of an advantage. */
  readonly detail: string;
};

export interface ReplayReport {
  readonly samples: number;
  readonly updates: number;
  /** Largest difference of a compared number, relative where it is above 1. */
  readonly largestDifference: number;
  /** Undefined where all is equal within the tolerance. */
  readonly difference: ReplayDifference | undefined;
}

/**
 * rewards → shaped rewards → advantages → loss, each from the recomputed one before.
 * @param tolerance absolute for numbers below 1, else relative
 * @param onCompared hears each number
 */
export async function replayStep(
  step: Step,
  functions: ReplayFunctions,
  tolerance = 1e-6,
  onCompared: (comparison: ReplayComparison) => void = () => {},
): Promise<ReplayReport> {
  const comparison = new Comparison(step.step, tolerance, onCompared);
  const logs = new Map(step.log.samples.map((log) => [nameOf(log), log]));
  const traces = new Map(step.traces.map((trace) => [nameOf(trace), trace]));
  comparison.sameNames([...traces.keys()], [...logs.keys()]);
  const report = (): ReplayReport => ({
    samples: step.traces.length,
    updates: step.log.updates.length,
    largestDifference: comparison.largest,
    difference: comparison.first,
  });
  if (comparison.first !== undefined) return report();

  const samples: ReplayedSample[] = [];
  for (const trace of step.traces)
    samples.push(await replaySample(trace, logs.get(nameOf(trace))!, functions, comparison));

  const advantages = functions.advantage(samples);
  for (const [index, { trace }] of samples.entries()) {
    const logged = logs.get(nameOf(trace))!.advantages;
    const length = Math.max(logged.length, advantages[index]?.length ?? 0);
    for (let turn = 0; turn < length; turn++)
      compareTurn(comparison, keyOf(trace), turn, logged[turn], advantages[index]?.[turn]);
  }

  const replayed = new Map(
    samples.map((sample, index) => [nameOf(sample.trace), { ...sample, advantages: advantages[index] ?? [] }]),
  );
  for (const [index, update] of step.log.updates.entries()) {
    const batch = batchOf(update, replayed, comparison);
    if (batch === undefined) return report();
    comparison.compare(
      { what: "loss", update: index },
      update.loss ?? Number.NaN,
      functions.loss(batch),
      `update ${index}`,
    );
  }
  return report();
}

function compareTurn(
  comparison: Comparison,
  key: SampleKey,
  turn: number,
  logged: TurnAdvantage | undefined,
  replayed: TurnAdvantage | undefined,
): void {
  const place = { what: "advantage", ...key } as const;
  if (typeof logged !== "object" && typeof replayed !== "object") {
    comparison.compare(place, logged, replayed, `turn ${turn}`);
    return;
  }
  const [one, other] = [listOf(logged), listOf(replayed)];
  for (let token = 0; token < Math.max(one.length, other.length); token++)
    comparison.compare(place, one[token], other[token], `turn ${turn}, token ${token}`);
}

function listOf(advantage: TurnAdvantage | undefined): readonly number[] {
  if (advantage === undefined) return [];
  return typeof advantage === "number" ? [advantage] : advantage;
}

async function replaySample(
  trace: Trace<ImageRef>,
  log: SampleLog,
  functions: ReplayFunctions,
  comparison: Comparison,
): Promise<ReplayedSample> {
  const rewards = await functions.rewards(trace);
  const key = keyOf(trace);
  for (const part of new Set([...Object.keys(trace.rewards), ...Object.keys(rewards)])) {
    comparison.compare({ what: "reward", ...key }, trace.rewards[part], rewards[part], part);
  }
  const penalty = functions.penalty(trace, log.evidence ?? {});
  comparison.compare({ what: "penalty", ...key }, log.penalty, penalty);
  const shapedReward = (rewards.outcome ?? Number.NaN) - penalty;
  comparison.compare({ what: "shapedReward", ...key }, log.shapedReward ?? Number.NaN, shapedReward);
  return { trace, rewards, penalty, shapedReward, evidence: log.evidence };
}

type Replayed = ReplayedSample & { readonly advantages: readonly TurnAdvantage[] };

/** Undefined, and the difference noted, where an update names a sample that is missing or has other tokens. */
function batchOf(
  update: UpdateLog,
  samples: ReadonlyMap<string, Replayed>,
  comparison: Comparison,
): ReplayedUpdate | undefined {
  const batch: ReplayedUpdate[number][] = [];
  for (const logged of update.samples) {
    const sample = samples.get(nameOf(logged));
    const tokens = sample && sampledTokens(sample.trace);
    const lengths = [logged.logProbs, logged.oldLogProbs, logged.referenceLogProbs, logged.divergences].flatMap(
      (values) => values?.length ?? [],
    );
    const wrong = lengths.find((length) => length !== tokens?.logProbs.length);
    if (sample === undefined || tokens === undefined || wrong !== undefined) {
      comparison.compare(
        { what: "logProbs", ...keyOf(logged) },
        wrong ?? lengths[0],
        tokens?.logProbs.length,
        "number of sampled tokens",
      );
      return undefined;
    }
    batch.push({
      ...sample,
      turnOfToken: tokens.turns,
      logProbs: logged.logProbs,
      oldLogProbs: logged.oldLogProbs ?? tokens.logProbs,
      rolloutLogProbs: tokens.logProbs,
      referenceLogProbs: logged.referenceLogProbs,
      divergences: logged.divergences,
    });
  }
  return batch;
}

/** Notes the first difference and the largest. */
class Comparison {
  first: ReplayDifference | undefined;
  largest = 0;
  readonly #step: number;
  readonly #tolerance: number;
  readonly #onCompared: (comparison: ReplayComparison) => void;

  constructor(step: number, tolerance: number, onCompared: (comparison: ReplayComparison) => void) {
    this.#step = step;
    this.#tolerance = tolerance;
    this.#onCompared = onCompared;
  }

  sameNames(traces: readonly string[], logs: readonly string[]): void {
    const odd = missing(traces, new Set(logs)) ?? missing(logs, new Set(traces));
    if (odd === undefined) return;
    const message = `step ${this.#step}: ${odd} is not both among the traces (${traces.length}) and in the log (${logs.length})`;
    this.first = { what: "samples", logged: logs.length, replayed: traces.length, message };
  }

  compare(
    place: Pick<ReplayDifference, "what"> & Partial<SampleKey & { update: number }>,
    logged: number | undefined,
    replayed: number | undefined,
    detail = "",
  ): void {
    this.#onCompared({ ...place, detail, logged, replayed });
    const difference = distance(logged, replayed);
    this.largest = Math.max(this.largest, difference);
    if (this.first !== undefined || difference <= this.#tolerance) return;
    const sample = place.group === undefined ? "" : `, group ${place.group}, sample ${place.sample}`;
    const message = `step ${this.#step}${sample}: ${place.what}${detail && ` (${detail})`} was logged as ${logged}, but replays as ${replayed}`;
    this.first = { ...place, logged, replayed, message };
  }
}

function distance(logged: number | undefined, replayed: number | undefined): number {
  if (Object.is(logged, replayed)) return 0;
  if (logged === undefined || replayed === undefined) return Number.POSITIVE_INFINITY;
  const difference = Math.abs(logged - replayed) / Math.max(1, Math.abs(logged));
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

function missing(names: readonly string[], among: ReadonlySet<string>): string | undefined {
  return names.find((name) => !among.has(name));
}

function keyOf({ group, sample }: SampleKey): SampleKey {
  return { group, sample };
}

function nameOf({ group, sample }: SampleKey): string {
  return `group ${group}, sample ${sample}`;
}
