// Models by name or place, and whether a directory holds one.
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { nearest } from "@iapo/run-config";
import { shippedModels } from "../config/shipped.ts";
import { JobsError } from "../error.ts";

/** @throws JobsError `missing`, `invalid`: nothing is ever looked up on a hub by mistake */
export async function checkModelDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (!found) throw new JobsError("missing", `${directory}: there is no such directory; give a model's`);
  const names = found.isDirectory() ? await readdir(directory) : [];
  const lacks = (what: string): JobsError =>
    new JobsError(
      "invalid",
      `${directory} holds ${what}; a model's directory has config.json, tokenizer.json and *.safetensors (of a run, an export makes one)`,
    );
  if (!names.includes("config.json")) throw lacks("no config.json");
  if (!names.includes("tokenizer.json")) throw lacks("no tokenizer.json");
  if (!names.some((name) => name.endsWith(".safetensors"))) throw lacks("no weights");
}

/** By the name of a shipped one, or a path. @throws JobsError `missing`, `invalid` */
export async function namedModel(name: string): Promise<ModelSource> {
  const directory = directoryOf(name);
  await checkModelDirectory(directory);
  return { directory };
}

function directoryOf(name: string): string {
  const directory = shippedModels.get(name) ?? resolve(name);
  if (existsSync(directory)) return directory;
  const near = nearest(name, [...shippedModels.keys()]);
  const hint =
    near === undefined ? `shipped models are ${[...shippedModels.keys()].join(", ")}` : `did you mean ${near}?`;
  throw new JobsError("missing", `${directory}: there is no such directory or shipped model; ${hint}`);
}
