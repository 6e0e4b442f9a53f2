// What a run is made of, by content: the settings name models, data and modules by path, and what lies there may change.
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hashFile, hashModule, type RunRecord } from "@iapo/grpo/run-directory";
import { modelDirectory } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { OpenTasks } from "@iapo/vqa-tasks/sources";
import type { TrainerConfig } from "../config/schema.ts";

/** What decides how text and pictures become tokens; and the weights. */
const processing =
  /^(?:config|generation_config|tokenizer|tokenizer_config|preprocessor_config|processor_config|chat_template)\.(?:json|jinja)$/;
const weights = /\.safetensors(?:\.index\.json)?$/;

interface Loading {
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** @returns `content` and `commits` of `run.json` */
export async function contentOf(
  config: TrainerConfig,
  tasks: OpenTasks,
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
    environment: { tools: environment.tools.module },
  }))
    for (const [name, path] of Object.entries(modules)) {
      const [file = ""] = path?.split("#") ?? [];
      if (file !== "") content[`${section}/${name}`] = await hashModule(file);
    }
  return { content, commits };
}

/** By `model/tokenizer.json` and the like. */
export async function modelContent(
  directory: string,
  { name, weights: all, signal }: { readonly name: string; readonly weights: boolean } & Loading,
): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const file of (await readdir(directory)).sort())
    if (processing.test(file) || (all && weights.test(file)))
      content[`${name}/${file}`] = await hashFile(join(directory, file), { signal });
  return content;
}

/** The entries of a recorded run that concern its model's files, without those of weights where these do not matter. */
export function recordedModel({ content }: RunRecord, all: boolean): Record<string, string> {
  const entries = Object.entries(content).filter(([name]) => name.startsWith("model/") && (all || !weights.test(name)));
  return Object.fromEntries(entries);
}

/** Of a directory in a hub's cache: `snapshots/<commit>`. */
function commitOf(directory: string): string | undefined {
  return basename(dirname(directory)) === "snapshots" ? basename(directory) : undefined;
}
