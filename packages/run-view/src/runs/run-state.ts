// What a run is at, from its lock, its settings and its last step.
import { join } from "node:path";
import { findWriter, type Writer } from "@iapo/grpo/run-directory";
import { readSmall } from "@iapo/run-report";
import { z } from "zod";

export interface RunState {
  /** `died` is said where a process ended before the last step, be it by a kill, an error or an interrupt: the directory does not tell them apart. */
  readonly state: "training" | "ended" | "died" | "evaluation";
  readonly writer: Writer | undefined;
  /** Steps done, and of how many, where the settings say so. */
  readonly done: number;
  readonly planned: number | undefined;
}

const startSchema = z.object({
  config: z.object({
    grpo: z
      .object({ steps: z.int().min(1) })
      .partial()
      .optional(),
    supervised: z
      .object({ steps: z.int().min(1) })
      .partial()
      .optional(),
  }),
});

/** @param last the last step that is there, and whether a checkpoint holds it */
export async function readRunState(
  directory: string,
  last: { readonly step: number; readonly isPublished: boolean } | undefined,
): Promise<RunState> {
  const writer = await findWriter(directory);
  const done = last ? last.step + 1 : 0;
  const planned = plannedSteps(await readSmall(join(directory, "starts.jsonl")).catch(() => undefined));
  const isOver = planned === undefined ? last?.isPublished : done >= planned;
  return { state: writer ? "training" : isOver ? "ended" : "died", writer, done, planned };
}

/** As the configuration of the last start says; undefined where it leaves that to the default. */
function plannedSteps(starts: string | undefined): number | undefined {
  const line = starts?.trimEnd().split("\n").at(-1) ?? "";
  try {
    const { grpo, supervised } = startSchema.parse(JSON.parse(line)).config;
    return supervised?.steps ?? grpo?.steps;
  } catch {
    return undefined;
  }
}
