// From a configuration's `environment` and `judge` to the environment of an episode.
import { join } from "node:path";
import type { EnvironmentOptions } from "@iapo/vqa-tasks";
import { createEnvironment, type VqaEnvironment } from "@iapo/vqa-tasks";
import { createJudge, type Judge, openVerdicts } from "@iapo/vqa-tasks/scoring";
import type { JobConfig } from "../config/schema.ts";
import { loadTools } from "./user-modules.ts";

export interface OpenEnvironment extends AsyncDisposable {
  readonly environment: VqaEnvironment;
}

/** The one door to an environment that a configuration describes, with the user's own tools. @throws GrpoError `module`; JobsError `invalid` */
export async function environmentOf(options: Partial<EnvironmentOptions>, judge?: Judge): Promise<VqaEnvironment> {
  const module = options.tools?.module;
  return createEnvironment({ options, judge, tools: module === undefined ? undefined : await loadTools(module) });
}

/** For those who score nothing, or by rule: no judge is asked. */
export function withoutJudge(options: EnvironmentOptions): EnvironmentOptions {
  const { scoring } = options;
  return scoring.scoring === "judge" ? { ...options, scoring: { ...scoring, scoring: "relaxed" } } : options;
}

/** A judge's verdicts are kept in the run's directory and asked for once. */
export async function openEnvironment(
  { environment: options, judge }: Pick<JobConfig, "environment" | "judge">,
  directory: string,
): Promise<OpenEnvironment> {
  if (!judge) return { environment: await environmentOf(options), [Symbol.asyncDispose]: async () => {} };
  const { recorded, record, close } = await openVerdicts(join(directory, "verdicts.jsonl"));
  const apiKey = process.env.IAPO_JUDGE_KEY;
  const asked = createJudge({ ...judge, ...(apiKey && { apiKey }), recorded, record });
  return { environment: await environmentOf(options, asked), [Symbol.asyncDispose]: close };
}
