// How well a number tells faulty calls from right ones: the area under the ROC curve, with bootstrap intervals over charts.
import type { Numbers } from "@iapo/attribution/math";
import { deriveSeed, randomWords } from "@iapo/tensor-core";

/** An area under the curve and its 95 % interval. */
export interface Estimate {
  readonly auc: number;
  readonly low: number;
  readonly high: number;
}

/** How often each chart was drawn in each of the resamples: `[replicates][charts]`. */
export type Resamples = readonly Uint16Array[];

/** Charts drawn with replacement, as many as there are; the same for every number that is compared. */
export function resampleCharts(charts: number, replicates: number, seed: number): Resamples {
  return Array.from({ length: replicates }, (_, replicate) => {
    const times = new Uint16Array(charts);
    for (const word of randomWords(charts, deriveSeed(seed, "bootstrap", replicate))) times[word % charts]! += 1;
    return times;
  });
}

/** P(fault > right) + P(fault = right) / 2 where both are of the same chart: what a group's comparison sees. All arrays `[charts]`. */
export function pairedAuc(faults: Numbers, rights: Numbers, resamples: Resamples): Estimate {
  const wins = Float64Array.from(rights, (right, chart) => credit(faults[chart]!, right));
  const mean = (times?: Uint16Array): number =>
    wins.reduce((sum, win, chart) => sum + win * (times?.[chart] ?? 1), 0) / wins.length;
  return withInterval(mean(), resamples.map(mean));
}

/** The same over all pairs, of whatever charts: Mann and Whitney's U over its largest value. */
export function pooledAuc(faults: Numbers, rights: Numbers, resamples: Resamples): Estimate {
  const charts = rights.length;
  const valueAt = (i: number): number => (i < charts ? rights[i]! : faults[i - charts]!);
  const ascending = Array.from({ length: 2 * charts }, (_, i) => i).sort((a, b) => valueAt(a) - valueAt(b));
  const values = Float64Array.from(ascending, valueAt);
  const area = (times?: Uint16Array): number => {
    let [below, sum] = [0, 0];
    for (let start = 0, end = 0; start < ascending.length; start = end) {
      let [tiedRights, tiedFaults] = [0, 0];
      for (; end < ascending.length && values[end] === values[start]; end++) {
        const i = ascending[end]!;
        const count = times?.[i % charts] ?? 1;
        if (i < charts) tiedRights += count;
        else tiedFaults += count;
      }
      sum += tiedFaults * (below + tiedRights / 2);
      below += tiedRights;
    }
    return sum / charts ** 2;
  };
  return withInterval(area(), resamples.map(area));
}

export function meanOf(values: Numbers): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

function credit(fault: number, right: number): number {
  return fault > right ? 1 : fault === right ? 0.5 : 0;
}

/** Percentiles 2.5 and 97.5 of the resampled values; the value itself where nothing was resampled. */
function withInterval(auc: number, resampled: readonly number[]): Estimate {
  const ascending = Float64Array.from(resampled).sort();
  const last = ascending.length - 1;
  const at = (share: number): number => {
    const place = share * last;
    const [lower, upper] = [ascending[Math.floor(place)]!, ascending[Math.ceil(place)]!];
    return lower + (upper - lower) * (place - Math.floor(place));
  };
  return last < 0 ? { auc, low: auc, high: auc } : { auc, low: at(0.025), high: at(0.975) };
}
