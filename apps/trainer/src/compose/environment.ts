// From a configuration's `environment` and `judge` to the world of an episode.
import { join } from "node:path";
import type { Environment } from "@iapo/rollout-trace";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createJudge, openVerdicts } from "@iapo/vqa-tasks/scoring";
import type { TrainerConfig } from "../config/schema.ts";

export interface OpenEnvironment extends AsyncDisposable {
  readonly environment: Environment;
}

/** A judge's verdicts are kept in the run's directory and asked for once. */
export async function openEnvironment(
  { environment: options, judge }: Pick<TrainerConfig, "environment" | "judge">,
  directory: string,
): Promise<OpenEnvironment> {
  if (!judge) return { environment: createEnvironment({ options }), [Symbol.asyncDispose]: async () => {} };
  const { recorded, record, close } = await openVerdicts(join(directory, "verdicts.jsonl"));
  const apiKey = process.env.IAPO_JUDGE_KEY;
  const asked = createJudge({ ...judge, ...(apiKey && { apiKey }), recorded, record });
  return { environment: createEnvironment({ options, judge: asked }), [Symbol.asyncDispose]: close };
}
