// What a run is beside its weights, and what of it a checkpoint holds.
import type { Tensor } from "@iapo/tensor-core";
import { z } from "zod";
import { type CheckpointTensors, readParameters, readState } from "../checkpoint/checkpoints.ts";
import { at } from "../math/batch.ts";
import type { AlarmState } from "../metrics/alarms.ts";
import type { TrainablePolicy } from "../policy.ts";
import type { Learner } from "../update/learner.ts";

export interface RunState {
  /** Steps that are done. */
  readonly step: number;
  /** The place in the order of tasks. */
  readonly cursor: number;
  readonly policyVersion: number;
  readonly optimizerSteps: number;
  readonly skippedSteps: number;
  /** Of the optimizer steps, how many of the latest were skipped, one after the other. */
  readonly skippedInARow: number;
  /** Steps in a row, up to this one, in which there was nothing to train on. */
  readonly emptySteps: number;
  readonly alarms: AlarmState;
  /** The best evaluation so far, and after how many steps it was. */
  readonly best: { readonly step: number; readonly score: number } | null;
}

const windows = z.array(z.record(z.string(), z.number()));
const count = z.int().min(0);

export const runStateSchema: z.ZodType<RunState> = z.strictObject({
  step: count,
  cursor: count,
  policyVersion: count,
  optimizerSteps: count,
  skippedSteps: count,
  skippedInARow: count,
  emptySteps: count,
  alarms: z.strictObject({ first: windows, recent: windows, active: z.array(z.string()) }),
  best: z.strictObject({ step: count, score: z.number() }).nullable(),
});

/** What the last checkpoint of a run says of its best step, and of itself. @throws GrpoError `checkpoint` */
export async function readRunState(checkpoint: string): Promise<RunState> {
  return readState(checkpoint, runStateSchema);
}

/** Puts a policy where a checkpoint left it, to be used or exported; training goes on by `train`. @throws GrpoError `checkpoint` */
export async function loadCheckpoint(policy: TrainablePolicy, checkpoint: string): Promise<void> {
  await readRunState(checkpoint); // the step is what the name says
  await readParameters(checkpoint, new Map(policy.parameters.map(({ name, master }) => [name, master])));
  policy.refresh();
}

/** The tensors that a checkpoint holds: masters or adapter, moments and step counter. */
export function checkpointTensors({ policy, optimizer }: Learner): CheckpointTensors {
  const moments = policy.parameters.flatMap(({ name }, i): [string, Tensor][] => {
    const { first, second } = at(optimizer.moments, i);
    return [
      [`${name}.first_moment`, first],
      [`${name}.second_moment`, second],
    ];
  });
  return {
    parameters: new Map(policy.parameters.map(({ name, master }) => [name, master])),
    optimizer: new Map([...moments, ["counter", optimizer.counter]]),
  };
}

/** Puts a learner, whose tensors were read, where the state says it was. */
export function restoreLearner(learner: Learner, state: RunState): void {
  learner.steps = state.optimizerSteps;
  learner.skipped = state.skippedSteps;
  learner.skippedInARow = state.skippedInARow;
  learner.policy.version = state.policyVersion;
  learner.policy.refresh();
}
