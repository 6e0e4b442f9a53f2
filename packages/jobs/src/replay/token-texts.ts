// The texts of a run's tokens, by the tokenizer that the run names and knows by its SHA-256.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hashFile } from "@iapo/grpo/run-directory";
import { Tokenizer } from "@iapo/qwen-vl-model/processor";
import { readRecordedRun } from "../run/recorded-run.ts";

/** Larger files are no tokenizers. */
const mostBytes = 64 * 2 ** 20;

/** A text for each id, those of one character's bytes with the last of them. */
export type TokenTexts = (ids: Int32Array) => readonly string[];

/**
 * Undefined where the run's tokenizer is not there, or is another one by now.
 * @throws GrpoError, JobsError as `readRecordedRun`; QwenVLError for a file that is no tokenizer
 */
export async function tokenTextsOf(run: string): Promise<TokenTexts | undefined> {
  const { config, record } = await readRecordedRun(run);
  const known = record.content["model/tokenizer.json"];
  const { directory } = config.model;
  if (known === undefined || directory === undefined) return undefined;
  const path = join(directory, "tokenizer.json");
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size > mostBytes || (await hashFile(path)) !== known) return undefined;
  const tokenizer = new Tokenizer(JSON.parse(await readFile(path, "utf8")), path);
  return (ids) => {
    const decoder = tokenizer.streamingDecoder();
    return Array.from(ids, (id, i) => decoder.push(id) + (i === ids.length - 1 ? decoder.end() : ""));
  };
}
