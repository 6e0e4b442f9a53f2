// A run that was made, as its directory tells it: the settings that decided what it computed, and where its parts lie.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type TrainerConfig, trainerConfigSchema } from "../config/schema.ts";
import { TrainerError } from "../error.ts";

export interface RecordedRun {
  readonly directory: string;
  /** What made it. */
  readonly command: "train" | "sft";
  readonly config: TrainerConfig;
  readonly steps: string;
  readonly checkpoints: string;
}

const MOST_BYTES = 2 ** 24;
const runSchema = z.object({
  version: z.literal(1),
  settings: z.looseObject({ command: z.enum(["train", "sft"]) }),
});

/** @throws TrainerError `missing`, `invalid` */
export async function readRecordedRun(directory: string): Promise<RecordedRun> {
  const file = join(directory, "run.json");
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === "ENOENT" ? "there is no run in it (no run.json)" : cause.message;
    throw new TrainerError("missing", `${directory}: ${what}; give the directory that \`iapo train\` wrote`, { cause });
  });
  const refuse = (cause: unknown): TrainerError => {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    return new TrainerError("invalid", `${file} is not the file of a run of \`iapo train\` or \`iapo sft\`: ${reason}`);
  };
  try {
    if (text.length > MOST_BYTES) throw new Error("it is far too large");
    const { command, ...settings } = runSchema.parse(JSON.parse(text)).settings;
    const config = trainerConfigSchema.parse(settings);
    return { directory, command, config, steps: join(directory, "steps"), checkpoints: join(directory, "checkpoints") };
  } catch (cause) {
    throw refuse(cause);
  }
}
