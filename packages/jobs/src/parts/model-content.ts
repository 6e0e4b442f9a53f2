// A model by the content of its files: what a resume, an export, a cache and an evaluation insist on.
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hashFile, type RunRecord } from "@iapo/grpo/run-directory";

/** What decides how text and pictures become tokens; and the weights. */
const processing =
  /^(?:config|generation_config|tokenizer|tokenizer_config|preprocessor_config|processor_config|chat_template)\.(?:json|jinja)$/;
const weights = /\.safetensors(?:\.index\.json)?$/;

/** By `model/tokenizer.json` and the like. */
export async function modelContent(
  directory: string,
  {
    name,
    weights: all,
    signal,
  }: { readonly name: string; readonly weights: boolean; readonly signal?: AbortSignal | undefined },
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

/** One SHA-256 of all files that decide what a model answers. */
export async function modelHash(directory: string, signal?: AbortSignal): Promise<string> {
  const content = await modelContent(directory, { name: "model", weights: true, signal });
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}
