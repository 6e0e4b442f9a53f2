// What a step's tokens were sampled from, whole distributions, by the rollout's kernels and by the update's.
import { compareDistributions, type DistributionComparison, QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Image, ImageRef, Trace } from "@iapo/rollout-trace";
import { listSteps, readTraces } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { JobsError } from "../error.ts";
import { onDevice } from "../parts/on-device.ts";
import { type RecordedRun, readRecordedRun } from "../run/recorded-run.ts";
import { keptImage } from "./renderer.ts";

export interface LogitsOptions {
  readonly step: number;
  /** A directory with the weights that wrote the step: the run's own model for step 0, an export of a checkpoint for a later one. */
  readonly model: string;
  /** Traces that are compared, the first ones; default 8. */
  readonly traces?: number | undefined;
  readonly device?: Device | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onTrace?: ((done: number, found: DistributionComparison) => void) | undefined;
}

export interface LogitsComparison extends DistributionComparison {
  readonly traces: number;
}

/** Log-probs of the same weights differ by less, whichever kernels gave them. */
const SAME_WEIGHTS = 1e-2;

/**
 * @throws JobsError `missing`, `invalid`; `differs` where the model is not the one that wrote the step; TraceError; QwenVLError; TensorError; the
 * signal's reason
 */
export async function compareLogits(directory: string, options: LogitsOptions): Promise<LogitsComparison> {
  const { step, model, traces: most = 8, signal, onTrace } = options;
  const run = await readRecordedRun(directory);
  const file = (await listSteps(run.steps)).find((one) => one.step === step);
  if (!file) throw new JobsError("missing", `${directory} holds no step ${step}`);
  return onDevice(options.device, async (device) => {
    const { dtype, minPixels, maxPixels } = run.config.model;
    const policy = await QwenVLPolicy.load(
      device,
      { directory: model, dtype, minPixels, maxPixels },
      { frozen: true, ...(signal && { signal }) },
    );
    let total = { traces: 0, tokens: 0, equal: 0, largestDifference: 0, largestDivergence: 0, largestFromRecorded: 0 };
    try {
      for await (const trace of readTraces(file.path)) {
        if (total.traces === most) break;
        signal?.throwIfAborted();
        const one = await compareDistributions(policy, await withImages(run, trace), signal ? { signal } : {});
        if (!(one.largestFromRecorded < SAME_WEIGHTS))
          throw new JobsError(
            "differs",
            `${model} did not write step ${step}: group ${trace.group}, sample ${trace.sample} has log-probs that are ${one.largestFromRecorded} from its own; \`iapo export ${directory} --step ${step}\` makes the model that did, where the run has its checkpoint`,
          );
        total = joined(total, one);
        onTrace?.(total.traces, one);
      }
    } finally {
      policy.model.dispose();
    }
    return total;
  });
}

function joined(total: LogitsComparison, one: DistributionComparison): LogitsComparison {
  return {
    traces: total.traces + 1,
    tokens: total.tokens + one.tokens,
    equal: total.equal + one.equal,
    largestDifference: Math.max(total.largestDifference, one.largestDifference),
    largestDivergence: Math.max(total.largestDivergence, one.largestDivergence),
    largestFromRecorded: Math.max(total.largestFromRecorded, one.largestFromRecorded),
  };
}

/** The trace with the pictures that the run has kept. */
async function withImages({ directory }: RecordedRun, trace: Trace<ImageRef>): Promise<Pick<Trace<Image>, "turns">> {
  const turns = trace.turns.map(async (turn) => ({
    ...turn,
    images: await Promise.all(turn.images.map((image) => keptImage(directory, image))),
  }));
  return { turns: await Promise.all(turns) };
}
