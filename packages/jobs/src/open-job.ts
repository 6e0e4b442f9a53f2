// From a configuration to a job: what is to be made, of what, and where. Nothing is written yet.
import { join, resolve } from "node:path";
import { type LoadedConfig, loadConfig } from "./config/load.ts";
import type { JobConfig } from "./config/schema.ts";
import { grpoSpec } from "./job/grpo.ts";
import type { JobSpec } from "./job/spec.ts";
import { supervisedSpec } from "./job/supervised.ts";
import { untrustedModules } from "./parts/user-modules.ts";

export interface OpenJobOptions {
  /** `train` by the section `grpo`, `sft` by `supervised`. Default: `sft` where the configuration has that section. */
  readonly kind?: JobSpec["kind"] | undefined;
  /** Settings in place of the configuration's, such as `grpo.steps=20`. */
  readonly set?: readonly string[] | undefined;
  /** Of the run. Default: the configuration's `output`, or `runs/` and its name. */
  readonly directory?: string | undefined;
  /** Whether the modules may be loaded that the configuration of a run's directory names: they run with all rights of this process. */
  readonly trust?: boolean | undefined;
}

export interface Job extends LoadedConfig, Pick<JobSpec, "kind" | "steps" | "tokensOf"> {
  /** Of the run, absolute. */
  readonly directory: string;
  /** Modules that the job would load and nobody has trusted; with any, it can be planned only. */
  readonly untrusted: readonly string[];
}

/**
 * @param source a recipe's name, a file, or the directory of a run
 * @throws ConfigError with file, line and the nearest known key; JobsError `config`
 */
export function openJob(source: string, { kind, set, directory, trust = false }: OpenJobOptions = {}): Job {
  const loaded = loadConfig(source, set);
  const { name, config } = loaded;
  const spec = specOf(kind ?? (config.supervised ? "sft" : "train"), config);
  return {
    ...loaded,
    kind: spec.kind,
    steps: spec.steps,
    tokensOf: spec.tokensOf,
    directory: resolve(directory ?? config.output ?? join("runs", name)),
    untrusted: trust ? [] : untrustedModules(source, config),
  };
}

/** @throws JobsError `config` */
export function specOf(kind: JobSpec["kind"], config: JobConfig): JobSpec {
  return kind === "sft" ? supervisedSpec(config) : grpoSpec(config);
}
