// A run that was made, read from its directory: the settings that decided what it computed, and where its parts lie.
import { type RunRecord, readRunRecord, runPaths } from "@iapo/grpo/run-directory";
import { problemOf } from "@iapo/rollout-trace";
import { z } from "zod";
import { jobConfig } from "../config/load.ts";
import type { JobConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";
import type { JobSpec } from "../job/spec.ts";

export interface RecordedRun {
  readonly directory: string;
  /** What made it. */
  readonly kind: JobSpec["kind"];
  readonly config: JobConfig;
  readonly record: RunRecord;
  readonly steps: string;
  readonly checkpoints: string;
}

const kindSchema = z.enum(["train", "sft"]);

/** @throws GrpoError `missing`, `invalid`; JobsError `invalid` */
export async function readRecordedRun(directory: string): Promise<RecordedRun> {
  const record = await readRunRecord(directory);
  const { steps, checkpoints } = runPaths(directory);
  try {
    const { command, ...settings } = record.settings;
    const kind = kindSchema.parse(command);
    return { directory, kind, config: jobConfig.check(settings), record, steps, checkpoints };
  } catch (cause) {
    const reason = problemOf(cause);
    throw new JobsError("invalid", `${directory} holds no run of a job: ${reason}`, {
      cause,
    });
  }
}
