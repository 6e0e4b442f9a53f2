// From timings to figures: rates, the ratio to the best peer, the fraction of what the adapter can do.
import { availableParallelism } from "node:os";
import { median, type Timing } from "./measure.ts";
import type { Case } from "./types.ts";

/** One library's part in a case. */
export interface Measured {
  readonly name: string;
  /** Empty when the library cannot do the case, or failed. */
  readonly timings: readonly Timing[];
  /** Milliseconds of the first run, compilation included. */
  readonly cold?: number;
  /** Largest error relative to the root mean square of the right values. */
  readonly error?: number;
}

/** `cpu` on a software adapter: the CPU time of its threads, spread over all cores. `wall` elsewhere. */
export type Clock = "cpu" | "wall";

export interface Figures {
  /** Null where our own library cannot do the case. */
  readonly ours: number | null;
  /** Null where the peer cannot do the case or its result is wrong. */
  readonly peers: Readonly<Record<string, number | null>>;
  /** Against the fastest peer on the same adapter whose result is right. */
  readonly ratioToBestPeer: number | null;
  readonly fractionOfPeak: number | null;
  /** Whether our own result is within the case's tolerance of the f64 reference. */
  readonly correct: boolean;
}

/** Runs on the CPU by kernels of its own, not on the adapter: shown for information. */
const notOnAdapter = new Set(["onnxruntime-node"]);

/** Work done in a second by the median timing: flops and bytes in units of 1e9, steps and tokens as they are. */
export function rate(of: Case, timings: readonly Timing[], clock: Clock): number {
  const cores = availableParallelism();
  const ofOne = ({ wall, cpu }: Timing): number => (clock === "cpu" && cpu !== undefined ? cpu / cores : wall);
  return of.work / (median(timings.map(ofOne)) / 1000) / (of.unit.startsWith("G") ? 1e9 : 1);
}

/** `libraries` has our own first; `limit` is the adapter's best at what bounds the case. */
export function figuresOf(of: Case, libraries: readonly Measured[], limit: number | undefined, clock: Clock): Figures {
  const isRight = ({ error }: Measured): boolean => error !== undefined && error <= of.tolerance;
  const figure = (measured: Measured): number | null =>
    measured.timings.length > 0 ? rate(of, measured.timings, clock) : null;
  const [own, ...others] = libraries as [Measured, ...Measured[]];
  const ours = figure(own);
  const peers = Object.fromEntries(others.map((peer) => [peer.name, isRight(peer) ? figure(peer) : null]));
  const best = Math.max(
    0,
    ...Object.entries(peers).map(([name, value]) => (notOnAdapter.has(name) ? 0 : (value ?? 0))),
  );
  return {
    ours,
    peers,
    ratioToBestPeer: ours === null || best === 0 ? null : ours / best,
    fractionOfPeak: ours === null || limit === undefined ? null : ours / limit,
    correct: isRight(own),
  };
}

/** Whether the row is right and reaches its goal, as far as the goal could be measured. */
export function reachesGoal({ goal }: Case, { correct, ratioToBestPeer, fractionOfPeak }: Figures): boolean {
  const atLeast = (got: number | null, wanted = 0): boolean => got === null || got >= wanted;
  return correct && atLeast(ratioToBestPeer, goal?.ratioToBestPeer) && atLeast(fractionOfPeak, goal?.fractionOfPeak);
}
