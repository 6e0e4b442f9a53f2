// A judge whose verdicts are kept beside the traces: asked once, also over several sittings.
import { openJournal } from "@iapo/rollout-trace/files";
import { createJudge, type Judge, type JudgeVerdict } from "@iapo/vqa-tasks";
import { z } from "zod";

export interface JudgeSettings {
  readonly endpoint: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
}

const verdictSchema: z.ZodType<JudgeVerdict> = z.strictObject({
  key: z.string(),
  correct: z.boolean(),
  reply: z.string(),
});

export async function openJudge(settings: JudgeSettings, file: string): Promise<{ judge: Judge } & AsyncDisposable> {
  const journal = await openJournal(file, verdictSchema);
  const judge = createJudge({
    ...settings,
    recorded: journal.records,
    record: (verdict) => journal.append(verdict),
  });
  return { judge, [Symbol.asyncDispose]: () => journal.close() };
}
