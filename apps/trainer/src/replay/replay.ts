// iapo replay: every step of a run computed again, with a line for each.
import { compareLogits, type ReplayOptions, replayRun } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface ReplayFlags extends Omit<ReplayOptions, "signal" | "onStep"> {
  readonly tolerance: number;
  /** Traces whose distributions are compared on the GPU. */
  readonly logits?: number | undefined;
}

export async function replay(directory: string, flags: ReplayFlags, io: CliIo): Promise<number> {
  const { out, note, signal } = io;
  if (flags.logits !== undefined) return replayLogits(directory, flags, io);
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

async function replayLogits(directory: string, flags: ReplayFlags, { out, note, signal }: CliIo): Promise<number> {
  const { step, model, logits: traces, tolerance } = flags;
  if (model === undefined || step === undefined)
    throw new TrainerError("argument", "--logits needs --step and --model: the weights that wrote that step");
  using device = await openAdapter();
  const found = await compareLogits(directory, {
    ...{ step, model, traces, device, signal },
    onTrace: (done, { tokens, equal }) =>
      note(`trace ${done}: ${equal} of ${tokens} distributions are equal to the bit`),
  });
  out(
    `step ${step}, ${found.traces} traces: ${found.equal} of ${found.tokens} distributions are equal to the bit in rollout and update; log-probs differ by ${shown(found.largestDifference)} at most, KL by ${shown(found.largestDivergence)} nats, from what was recorded by ${shown(found.largestFromRecorded)}`,
  );
  if (found.largestDifference <= tolerance) return ExitCode.done;
  note(`iapo: rollout and update differ by more than ${shown(tolerance)}`);
  return ExitCode.failed;
}

function shown(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}
