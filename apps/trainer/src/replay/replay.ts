// iapo replay: every step of a run computed again, with a line for each.
import { type ReplayOptions, replayRun } from "@iapo/jobs";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface ReplayFlags extends Omit<ReplayOptions, "signal" | "onStep"> {
  readonly tolerance: number;
}

export async function replay(directory: string, flags: ReplayFlags, { out, note, signal }: CliIo): Promise<number> {
  const { steps, samples, updates, largestDifference, verified } = await replayRun(directory, {
    ...flags,
    signal,
    onStep: (step, found) =>
      note(
        `step ${step}: ${found.samples} samples, ${found.updates} updates, largest difference ${shown(found.largestDifference)}`,
      ),
  });
  out(`${steps} steps replay: rewards, penalties, advantages of ${samples} samples, losses of ${updates} updates`);
  out(`largest difference ${shown(largestDifference)}, allowed ${shown(flags.tolerance)}`);
  if (flags.model !== undefined)
    out(`${verified} traces hold what their tasks give: tokens, blocks, images, patches, positions`);
  return ExitCode.done;
}

function shown(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}
