// Runs a job: locks its directory, opens its parts, reports what happens.
import { findRunRecord, lockDirectory } from "@iapo/grpo/run-directory";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { Device } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import type { FleetOptions } from "../fleet/open-fleet.ts";
import { type Job, specOf } from "../open-job.ts";
import { onDevice } from "../parts/on-device.ts";
import { requireTrust } from "../parts/user-modules.ts";
import { executeJob, type JobEvents, type JobResult } from "./execute-job.ts";
import { isInterrupt } from "./interrupt.ts";
import { holdsRun } from "./open-run.ts";

export interface RunJobOptions extends JobEvents {
  /** Default: one that is opened for this run. */
  readonly device?: Device | undefined;
  /** Goes on with the run that the directory holds, if there is one. Default: such a directory is refused. */
  readonly resume?: boolean | undefined;
  /** Workers that take part; the run's bits are the same as without. */
  readonly fleet?: FleetOptions | undefined;
  /** Ends the run in order, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a job to its end, or until the signal aborts; what was checkpointed stands.
 * @throws JobsError `untrusted`, `exists`, `run_exists`, `config`; GrpoError `busy`, `differs` and those of training; the signal's reason where it
 * aborts before the first step
 */
export async function runJob(job: Job, { device, ...options }: RunJobOptions = {}): Promise<JobResult> {
  requireTrust(job);
  return onDevice(device, (on) => runOn(on, job, options));
}

async function runOn(device: Device, job: Job, options: RunJobOptions): Promise<JobResult> {
  const { resume = false, signal = new AbortController().signal, fleet, ...events } = options;
  const lock = await lockDirectory(job.directory);
  try {
    const isThere = await holdsRun(job, resume);
    const given = { device, lock, resume: isThere, signal, events, fleet };
    return await executeJob(job, { ...(await pinned(job)), ...given });
  } catch (error) {
    throw isInterrupt(error, signal) ? signal.reason : error;
  } finally {
    await lock.release();
  }
}

/** A run that goes on takes of a hub what it took before, also where the branch has moved on. */
async function pinned({ kind, config, directory }: Job) {
  const { commits = {} } = (await findRunRecord(directory)) ?? {};
  const pin = <T extends ModelSource>(source: T, commit: string | undefined): T =>
    source.hub && commit !== undefined ? { ...source, hub: { ...source.hub, revision: commit } } : source;
  const { model, teacher } = config;
  const fixed: JobConfig = {
    ...config,
    model: pin(model, commits.model),
    teacher: teacher && pin(teacher, commits.teacher),
  };
  return { config: fixed, spec: { ...specOf(kind, fixed), settings: specOf(kind, config).settings } };
}
