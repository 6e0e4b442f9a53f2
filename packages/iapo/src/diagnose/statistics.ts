// How well a number tells faulty calls from right ones: the area under the ROC curve, with bootstrap intervals over charts.
import type { Numbers } from "@iapo/attribution/math";
import { bootstrap, type Resamples } from "@iapo/evaluation/statistics";
import { at } from "../at.ts";

/** An area under the curve and its 95 % interval. */
export interface Estimate {
  readonly auc: number;
  readonly low: number;
  readonly high: number;
}

/** P(fault > right) + P(fault = right) / 2 where both are of the same chart: what a group's comparison sees. All arrays `[charts]`. */
export function pairedAuc(faults: Numbers, rights: Numbers, resamples: Resamples): Estimate {
  const wins = Float64Array.from(rights, (right, chart) => credit(at(faults, chart), right));
  const mean = (times?: Uint16Array): number =>
    wins.reduce((sum, win, chart) => sum + win * (times?.[chart] ?? 1), 0) / wins.length;
  return withInterval(mean, resamples);
}

/** The same over all pairs, of whatever charts: Mann and Whitney's U over its largest value. */
export function pooledAuc(faults: Numbers, rights: Numbers, resamples: Resamples): Estimate {
  const charts = rights.length;
  const valueAt = (i: number): number => (i < charts ? at(rights, i) : at(faults, i - charts));
  const ascending = Array.from({ length: 2 * charts }, (_, i) => i).sort((a, b) => valueAt(a) - valueAt(b));
  const values = Float64Array.from(ascending, valueAt);
  const area = (times?: Uint16Array): number => {
    let [below, sum] = [0, 0];
    for (let start = 0, end = 0; start < ascending.length; start = end) {
      let [tiedRights, tiedFaults] = [0, 0];
      const value = values[start];
      for (; values[end] === value && end < values.length; end++) {
        const i = at(ascending, end);
        const count = times?.[i % charts] ?? 1;
        if (i < charts) tiedRights += count;
        else tiedFaults += count;
      }
      sum += tiedFaults * (below + tiedRights / 2);
      below += tiedRights;
    }
    return sum / charts ** 2;
  };
  return withInterval(area, resamples);
}

export function meanOf(values: Numbers): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

function credit(fault: number, right: number): number {
  return fault > right ? 1 : fault === right ? 0.5 : 0;
}

/** The value itself where nothing was resampled. */
function withInterval(area: (times?: Uint16Array) => number, resamples: Resamples): Estimate {
  const auc = area();
  const [low, high] = bootstrap(resamples, area) ?? [auc, auc];
  return { auc, low, high };
}
