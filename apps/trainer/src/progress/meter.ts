// What a run's progress is, as numbers: from the metrics of its steps, the clock and the device.
import type { Alarm, Metrics } from "@iapo/grpo";
import type { MemoryReport } from "@iapo/tensor-core";

export interface MeterOptions {
  readonly steps: number;
  /** Tokens that a step wrote, or learned from. */
  readonly tokensOf: (metrics: Metrics) => number;
  readonly memory: () => Pick<MemoryReport, "liveBytes" | "peakBytes" | "reservedBytes" | "peakReservedBytes">;
  /** Of a fleet: each worker with what it is at. */
  readonly workers?: (() => readonly string[]) | undefined;
  /** Milliseconds; default the clock. */
  readonly now?: (() => number) | undefined;
}

/** A moment of a run. */
export interface Reading {
  /** Steps that are done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  readonly phase: string;
  /** Of the last step; empty before the first. */
  readonly metrics: Metrics;
  /** The mean outcome rewards of the last steps, oldest first. */
  readonly rewards: readonly number[];
  readonly secondsPerStep: number | undefined;
  readonly tokensPerSecond: number | undefined;
  /** Seconds until the last step is done, by the mean of the last steps. */
  readonly eta: number | undefined;
  readonly gpuBytes: number;
  /** In use and idle. */
  readonly gpuReservedBytes: number;
  /** Of this process so far. */
  readonly gpuPeakBytes: number;
  readonly gpuPeakReservedBytes: number;
  /** Raised by this process. */
  readonly alarms: readonly Alarm[];
  /** Where the run has a fleet. */
  readonly workers?: readonly string[] | undefined;
}

/** Steps that a mean is taken over. */
const WINDOW = 10;
const CURVE = 60;
const GIB = 2 ** 30;

export class Meter {
  readonly #options: MeterOptions;
  readonly #now: () => number;
  #step = 0;
  #phase = "start";
  #metrics: Metrics = {};
  #stepBegan = 0;
  /** The device's own peaks begin anew with each step. */
  #peakBytes = 0;
  #peakReservedBytes = 0;
  readonly #latest: { readonly seconds: number; readonly tokens: number }[] = [];
  readonly #rewards: number[] = [];
  readonly #alarms: Alarm[] = [];

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  phase(name: string): void {
    this.#phase = name;
  }

  /** The steps begin; so many were done by an earlier process. */
  begin(done: number): void {
    this.#step = done;
    this.#stepBegan = this.#now();
  }

  /** The step with this number, from 0, is done. */
  step(index: number, metrics: Metrics): void {
    const now = this.#now();
    this.#latest.push({ seconds: (now - this.#stepBegan) / 1000, tokens: this.#options.tokensOf(metrics) });
    if (this.#latest.length > WINDOW) this.#latest.shift();
    this.#stepBegan = now;
    this.#step = index + 1;
    this.#metrics = metrics;
    this.#sawPeaks((metrics["memory/peak_gib"] ?? 0) * GIB, (metrics["memory/peak_reserved_gib"] ?? 0) * GIB);
    const reward = metrics["reward/outcome"];
    if (reward !== undefined) this.#rewards.push(reward);
    if (this.#rewards.length > CURVE) this.#rewards.shift();
  }

  alarm(alarm: Alarm): void {
    this.#alarms.push(alarm);
  }

  read(): Reading {
    const { steps, memory, workers } = this.#options;
    const { liveBytes, reservedBytes, peakBytes, peakReservedBytes } = memory();
    this.#sawPeaks(peakBytes, peakReservedBytes);
    const seconds = this.#latest.reduce((sum, one) => sum + one.seconds, 0);
    const tokens = this.#latest.reduce((sum, one) => sum + one.tokens, 0);
    const secondsPerStep = this.#latest.length > 0 ? seconds / this.#latest.length : undefined;
    return {
      step: this.#step,
      steps,
      phase: this.#phase,
      metrics: this.#metrics,
      rewards: [...this.#rewards],
      secondsPerStep,
      tokensPerSecond: seconds > 0 ? tokens / seconds : undefined,
      eta: secondsPerStep === undefined ? undefined : secondsPerStep * Math.max(0, steps - this.#step),
      gpuBytes: liveBytes,
      gpuReservedBytes: reservedBytes,
      gpuPeakBytes: this.#peakBytes,
      gpuPeakReservedBytes: this.#peakReservedBytes,
      alarms: [...this.#alarms],
      workers: workers?.(),
    };
  }

  #sawPeaks(inUse: number, reserved: number): void {
    this.#peakBytes = Math.max(this.#peakBytes, inUse);
    this.#peakReservedBytes = Math.max(this.#peakReservedBytes, reserved);
  }
}
