// A judge whose verdicts are kept beside the traces: asked once, also over several sittings.
import { createJudge, type Judge, type JudgeOptions, openVerdicts } from "@iapo/vqa-tasks/scoring";

/** An address and a model's name; what else is left out is as `createJudge` has it. */
export type JudgeSettings = Pick<JudgeOptions, "endpoint" | "model"> &
  Partial<Omit<JudgeOptions, "recorded" | "record">>;

export async function openJudge(settings: JudgeSettings, file: string): Promise<{ judge: Judge } & AsyncDisposable> {
  const { recorded, record, close } = await openVerdicts(file);
  return { judge: createJudge({ ...settings, recorded, record }), [Symbol.asyncDispose]: close };
}
