// What a run is at, from its lock, its settings and its last step.
import { join } from "node:path";
import { findWriter, type Writer } from "@iapo/grpo/run-directory";
import { readSmall } from "@iapo/run-report";
import { z } from "zod";

export interface RunState {
  /** `died` is said where a process ended before the last step by a kill or an error: the directory does not tell them apart. */
  readonly state: "training" | "ended" | "interrupted" | "died" | "evaluation";
  readonly writer: Writer | undefined;
  /** Steps done, and of how many, where the settings say so. */
  readonly done: number;
  readonly planned: number | undefined;
}

/** A line of `starts.jsonl`: a start, or an interrupt. */
const lineSchema = z.object({
  ended: z.literal("interrupted").optional(),
  config: z
    .object({
      grpo: z
        .object({ steps: z.int().min(1) })
        .partial()
        .optional(),
      supervised: z
        .object({ steps: z.int().min(1) })
        .partial()
        .optional(),
    })
    .optional(),
});

/** @param last the last step that is there, and whether a checkpoint holds it */
export async function readRunState(
  directory: string,
  last: { readonly step: number; readonly isPublished: boolean } | undefined,
): Promise<RunState> {
  const writer = await findWriter(directory);
  const done = last ? last.step + 1 : 0;
  const { planned, wasInterrupted } = startsOf(await readSmall(join(directory, "starts.jsonl")).catch(() => undefined));
  const isOver = planned === undefined ? last?.isPublished && !wasInterrupted : done >= planned;
  const left = wasInterrupted ? "interrupted" : "died";
  return { state: writer ? "training" : isOver ? "ended" : left, writer, done, planned };
}

/** Steps as the configuration of the last start says; undefined where it leaves that to the default. */
function startsOf(text = ""): { readonly planned: number | undefined; readonly wasInterrupted: boolean } {
  const lines = text.trimEnd().split("\n").map(parsed);
  const { grpo, supervised } = lines.findLast((line) => line?.config)?.config ?? {};
  return { planned: supervised?.steps ?? grpo?.steps, wasInterrupted: lines.at(-1)?.ended === "interrupted" };
}

function parsed(line: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
