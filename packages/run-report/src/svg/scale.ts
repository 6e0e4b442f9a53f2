// From values to places on an axis, and the ticks of the axis.
import { formatNumber } from "../numbers.ts";

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly isLogarithmic: boolean;
  readonly ticks: readonly number[];
  /** 0 at `low`, 1 at `high`; within these for values beyond. */
  position(value: number): number;
}

/** Beyond these, differences and steps are no longer numbers. */
const [largest, smallest] = [1e300, 1e-290];

/** Ends at round numbers around all values; what is not finite, or beyond 1e300, does not count. */
export function linearScale(values: readonly number[], tickCount = 5): Scale {
  const [from, to] = widened(extent(values.filter((value) => Math.abs(value) <= largest)));
  const step = roundStep((to - from) / tickCount);
  const low = Math.floor(from / step + 1e-9) * step;
  const high = Math.ceil(to / step - 1e-9) * step;
  const count = Math.round((high - low) / step);
  const ticks = Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(12)));
  return { low, high, isLogarithmic: false, ticks, position: (value) => clamp((value - low) / (high - low)) };
}

/** Spans whole powers of ten; only values from 1e-290 to 1e300 count. What is not a number is at the top, as a loss that has run away. */
export function logScale(values: readonly number[]): Scale {
  const [from, to] = extent(values.filter((value) => value >= smallest && value <= largest).map(Math.log10));
  const first = Math.floor(from + 1e-9);
  const last = Math.max(first + 1, Math.ceil(to - 1e-9));
  const every = Math.ceil((last - first) / 6);
  const within = last - first <= 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = first; power < last; power += every) for (const factor of within) ticks.push(factor * 10 ** power);
  ticks.push(10 ** last);
  const position = (value: number): number =>
    Number.isNaN(value) ? 1 : clamp((Math.log10(Math.max(value, 10 ** first)) - first) / (last - first));
  return { low: 10 ** first, high: 10 ** last, isLogarithmic: true, ticks, position };
}

/** With as many digits as tell it from the next tick. */
export function formatTick(tick: number, { ticks, isLogarithmic }: Scale): string {
  const [first = 0, second = first] = ticks;
  const step = second - first;
  const largest = Math.max(...ticks.map(Math.abs));
  if (isLogarithmic || step <= 0 || largest < 1e-3 || largest >= 1e6) return formatNumber(tick);
  return tick.toFixed(Math.min(20, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))));
}

/** Least and greatest. */
function extent(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

/** Of one value only: from zero to it. */
function widened([low, high]: [number, number]): [number, number] {
  if (high - low > Math.max(smallest, Math.abs(high) * 1e-9)) return [low, high];
  return Math.abs(high) <= smallest ? [0, 1] : [Math.min(0, low), Math.max(0, high)];
}

/** 1, 2 or 5 times a power of ten, not below the given step. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 5].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10) * power;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
