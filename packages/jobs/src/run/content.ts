// What a run is made of, by content: the settings name models, data and modules by path, and what lies there may change.
import { basename, dirname } from "node:path";
import { hashModule, type RunRecord } from "@iapo/grpo/run-directory";
import { modelDirectory } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { JobConfig } from "../config/schema.ts";
import { modelContent } from "../parts/model-content.ts";
import type { JobTasks } from "../parts/own-environment.ts";

interface Loading {
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** @returns `content` and `commits` of `run.json` */
export async function contentOf(
  config: JobConfig,
  tasks: JobTasks,
  loading: Loading,
): Promise<Pick<RunRecord, "content" | "commits">> {
  const { model, teacher, environment, grpo } = config;
  loading.onPhase?.("hash models, data and functions");
  const models: Record<string, ModelSource> = { model, ...(teacher && { teacher }) };
  const content: Record<string, string> = {};
  const commits: Record<string, string> = {};
  for (const [name, source] of Object.entries(models)) {
    const directory = await modelDirectory(source, loading);
    Object.assign(
      content,
      await modelContent(directory, { name, weights: source.initialize === undefined, ...loading }),
    );
    const commit = source.hub && commitOf(directory);
    if (commit) commits[name] = commit;
  }
  for (const name of ["train", "validation"] as const) {
    const rows = tasks[name]?.content;
    if (rows !== undefined) content[`data/${name}`] = rows;
  }
  for (const [section, modules] of Object.entries({
    functions: grpo.functions,
    environment: { module: environment.module, tools: environment.tools.module },
  }))
    for (const [name, path] of Object.entries(modules)) {
      const [file = ""] = path?.split("#") ?? [];
      if (file !== "") content[`${section}/${name}`] = await hashModule(file);
    }
  return { content, commits };
}

/** Of a directory in a hub's cache: `snapshots/<commit>`. */
function commitOf(directory: string): string | undefined {
  return basename(dirname(directory)) === "snapshots" ? basename(directory) : undefined;
}
