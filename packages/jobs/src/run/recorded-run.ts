// A run that was made, as its directory tells it: the settings that decided what it computed, and where its parts lie.
import { type RunRecord, readRunRecord, runPaths } from "@iapo/grpo/run-directory";
import { z } from "zod";
import { trainerConfig } from "../config/load.ts";
import type { TrainerConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";

export interface RecordedRun {
  readonly directory: string;
  /** What made it. */
  readonly command: "train" | "sft";
  readonly config: TrainerConfig;
  readonly record: RunRecord;
  readonly steps: string;
  readonly checkpoints: string;
}

const commandSchema = z.enum(["train", "sft"]);

/** @throws GrpoError `missing`, `invalid`; JobsError `invalid` */
export async function readRecordedRun(directory: string): Promise<RecordedRun> {
  const record = await readRunRecord(directory);
  const { steps, checkpoints } = runPaths(directory);
  try {
    const { command, ...settings } = record.settings;
    const made = commandSchema.parse(command);
    return { directory, command: made, config: trainerConfig.check(settings), record, steps, checkpoints };
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new JobsError("invalid", `${directory} holds no run of \`iapo train\` or \`iapo sft\`: ${reason}`, {
      cause,
    });
  }
}
