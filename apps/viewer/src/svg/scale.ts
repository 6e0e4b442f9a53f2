// From values to places on an axis, and the ticks of the axis.

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly isLogarithmic: boolean;
  readonly ticks: readonly number[];
  /** 0 at `low`, 1 at `high`; within these for values beyond. */
  position(value: number): number;
}

/** Ends at round numbers around all values; NaN and infinities do not count. */
export function linearScale(values: readonly number[], tickCount = 5): Scale {
  const [from, to] = extent(values.filter(Number.isFinite));
  const step = roundStep((to - from) / tickCount);
  const low = Math.floor(from / step + 1e-9) * step;
  const high = Math.ceil(to / step - 1e-9) * step;
  const count = Math.round((high - low) / step);
  const ticks = Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(12)));
  return { low, high, isLogarithmic: false, ticks, position: (value) => clamp((value - low) / (high - low)) };
}

/** Spans whole powers of ten; only positive values count. What is not a number is at the top, as a loss that has run away. */
export function logScale(values: readonly number[]): Scale {
  const [from, to] = extent(values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10));
  const first = Math.floor(from + 1e-9);
  const last = Math.max(first + 1, Math.ceil(to - 1e-9));
  const every = Math.ceil((last - first) / 6);
  const ticks: number[] = [];
  for (let power = first; power <= last; power += every) ticks.push(10 ** power);
  const position = (value: number): number =>
    Number.isNaN(value) ? 1 : clamp((Math.log10(Math.max(value, 10 ** first)) - first) / (last - first));
  return { low: 10 ** first, high: 10 ** last, isLogarithmic: true, ticks, position };
}

/** A span that is not empty. */
function extent(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  if (high - low > Math.abs(high) * 1e-9) return [low, high];
  const margin = Math.abs(high) / 10 || 1;
  return [low - margin, high + margin];
}

/** 1, 2 or 5 times a power of ten, not below the given step. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 5].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10) * power;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
