// A judge whose verdicts are kept beside the traces: asked once, also over several sittings.
import { createJudge, type Judge, openVerdicts } from "@iapo/vqa-tasks/scoring";

export interface JudgeSettings {
  readonly endpoint: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
}

export async function openJudge(settings: JudgeSettings, file: string): Promise<{ judge: Judge } & AsyncDisposable> {
  const { recorded, record, close } = await openVerdicts(file);
  return { judge: createJudge({ ...settings, recorded, record }), [Symbol.asyncDispose]: close };
}
