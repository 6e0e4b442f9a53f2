// Each kernel of a step of the 3B model: how long a call takes, and how near that is to what the adapter's peaks allow.
import { type Device, type KernelTime, planningDevice } from "@iapo/tensor-core";
import type { PartContext } from "./context.ts";
import { measurePeaks } from "./peaks.ts";
import type { Found, KernelRow } from "./report.ts";
import { cardSizes, phasesOf, randomModel, type StepSizes, smallSizes } from "./three-billion.ts";

/** What a kernel's calls in a phase do, counted on a device that runs nothing. */
interface Work {
  flops: number;
  /** Of all that is bound, each tensor once; of what is written, twice, for kernels that pick rows. */
  bytes: number;
}

const PICKS_ROWS = /gather|scatter|write_rows|lookup|copy_columns|head_pick/;
/** Kernels of less than this share of a phase are not worth a line. */
const LEAST_SHARE = 0.002;

export async function measureKernels(context: PartContext): Promise<Found<"kernels">> {
  const { device, isSmall } = context;
  const sizes = isSmall ? smallSizes : cardSizes;
  const peaks = await measurePeaks(context);
  const limits = {
    flops: 1e9 * (peaks["f32 multiply-add"]?.value ?? 0),
    bytes: 1e9 * Math.max(peaks.copy?.value ?? 0, peaks.read?.value ?? 0),
  };
  const work = await plannedWork(device, sizes);
  const model = randomModel(device, sizes.config);
  const kernels: KernelRow[] = [];
  for (const { name: phase, prepare } of phasesOf(model, sizes)) {
    await (await prepare())(); // compiles
    const times = await device.profile(await prepare());
    kernels.push(...times.filter(({ share }) => share >= LEAST_SHARE).map((time) => rowOf(phase, time, work, limits)));
  }
  model.dispose();
  return { model: sizes.name, kernels };
}

const keyOf = (phase: string, kernel: string): string => `${phase}: ${kernel}`;

async function plannedWork(device: Device, sizes: StepSizes): Promise<ReadonlyMap<string, Work>> {
  using planning = planningDevice(device.facts);
  const model = randomModel(planning, sizes.config);
  const work = new Map<string, Work>();
  for (const { name: phase, prepare } of phasesOf(model, sizes)) {
    const run = await prepare();
    let before = planning.flops;
    planning.onPlannedDispatch = ({ name }, { reads, writes }) => {
      const key = keyOf(phase, name);
      const found = work.get(key) ?? { flops: 0, bytes: 0 };
      work.set(key, found);
      const sum = (tensors: Iterable<{ bytes: number }>): number =>
        [...tensors].reduce((total, { bytes }) => total + bytes, 0);
      found.flops += planning.flops - before;
      before = planning.flops;
      const distinct = new Map([...reads, ...writes].map((tensor) => [tensor.id, tensor]));
      found.bytes += PICKS_ROWS.test(name) ? 2 * sum(writes) : sum(distinct.values());
    };
    await run();
    planning.onPlannedDispatch = () => {};
  }
  model.dispose();
  return work;
}

function rowOf(
  phase: string,
  { kernel, calls, milliseconds }: KernelTime,
  work: ReadonlyMap<string, Work>,
  limits: Work,
): KernelRow {
  const { flops, bytes } = work.get(keyOf(phase, kernel)) ?? { flops: 0, bytes: 0 };
  const seconds = milliseconds / 1000;
  const least = Math.max(flops / limits.flops, bytes / limits.bytes);
  return {
    phase,
    kernel,
    calls,
    microseconds: (1e6 * seconds) / calls,
    gflops: flops / seconds / 1e9,
    gbytes: bytes / seconds / 1e9,
    fractionOfLimit: least / seconds,
  };
}
