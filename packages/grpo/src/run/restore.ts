// Where a run stands when it goes on: its last checkpoint, or its beginning; and what lies in its directory beside that.
import { listSteps, recoverSteps } from "@iapo/rollout-trace/files";
import { type Checkpoint, listCheckpoints, readCheckpoint } from "../checkpoint/checkpoints.ts";
import { GrpoError } from "../error.ts";
import { noAlarms } from "../metrics/alarms.ts";
import type { RunPaths } from "../run-directory/open.ts";
import type { Learner } from "../update/learner.ts";
import { checkpointTensors, type RunState, restoreLearner, runStateSchema } from "./state.ts";

export interface RestoreOptions {
  /** Steps of the whole run. */
  readonly steps: number;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Nothing that was published is deleted.
 * @throws GrpoError `checkpoint` where the last one is damaged, or none is there though steps are; `argument` where more steps are done than
 * are wanted; TraceError where a step file is damaged
 */
export async function restore(learner: Learner, paths: RunPaths, options: RestoreOptions): Promise<RunState> {
  const { steps, onWarning } = options;
  const checkpoints = await listCheckpoints(paths.checkpoints);
  const last = checkpoints.at(-1);
  if (!last) await refuseToStartOver(paths);
  const state = last ? await stateOf(learner, last, checkpoints.at(-2), paths) : beginning(learner);
  if (state.step > steps) {
    const problem = `${paths.checkpoints}: the run has done ${state.step} steps, and ${steps} are wanted`;
    throw new GrpoError("argument", `${problem}; ask for as many or more`);
  }
  const { ahead, missing } = await recoverSteps(paths.steps, state.step);
  if (missing.length > 0)
    onWarning?.(`${paths.steps} lacks steps ${listed(missing)}: what they held is not in reports and replays`);
  if (ahead.length > 0)
    onWarning?.(
      `steps ${listed(ahead)} are behind the last checkpoint: they are made again, and must come out the same`,
    );
  return state;
}

function beginning({ policy }: Learner): RunState {
  return {
    step: 0,
    cursor: 0,
    policyVersion: policy.version,
    optimizerSteps: 0,
    skippedSteps: 0,
    skippedInARow: 0,
    emptySteps: 0,
    alarms: noAlarms,
    best: null,
  };
}

async function refuseToStartOver({ steps, checkpoints }: RunPaths): Promise<void> {
  const published = await listSteps(steps);
  if (published.length === 0) return;
  const numbers = listed(published.map(({ step }) => step));
  throw new GrpoError(
    "checkpoint",
    `${checkpoints} holds no checkpoint, but ${steps} holds steps ${numbers}: going on would begin at step 0; put the checkpoints back, or move the steps elsewhere to begin again`,
  );
}

async function stateOf(
  learner: Learner,
  last: Checkpoint,
  before: Checkpoint | undefined,
  { steps, checkpoints }: RunPaths,
): Promise<RunState> {
  try {
    const state = await readCheckpoint(last.path, checkpointTensors(learner), runStateSchema);
    restoreLearner(learner, state);
    return state;
  } catch (cause) {
    if (!(cause instanceof GrpoError) || cause.code !== "checkpoint") throw cause;
    const advice = before
      ? `restore a copy, or delete ${last.path} to resume from the checkpoint before it, after step ${before.step}`
      : `restore a copy; there is no checkpoint before it: to begin again, delete ${checkpoints} and move ${steps} elsewhere`;
    throw new GrpoError("checkpoint", `${cause.message}; ${advice}`, { cause });
  }
}

/** `0, 3 to 5` */
function listed(numbers: readonly number[]): string {
  const ranges: [from: number, to: number][] = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
}
