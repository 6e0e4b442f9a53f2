// Whether a directory holds a model, and which.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { JobsError } from "../error.ts";

/** @throws JobsError `missing`, `invalid`: nothing is ever looked up on a hub by mistake */
export async function checkModelDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (!found) throw new JobsError("missing", `${directory}: there is no such directory; give a model's`);
  const names = found.isDirectory() ? await readdir(directory) : [];
  const lacks = (what: string): JobsError =>
    new JobsError(
      "invalid",
      `${directory} holds ${what}; a model's directory has config.json, tokenizer.json and *.safetensors (of a run, \`iapo export\` makes one)`,
    );
  if (!names.includes("config.json")) throw lacks("no config.json");
  if (!names.includes("tokenizer.json")) throw lacks("no tokenizer.json");
  if (!names.some((name) => name.endsWith(".safetensors"))) throw lacks("no weights");
}

/** SHA-256 over the files that decide what the model answers. */
export async function modelHash(directory: string): Promise<string> {
  const wanted = /^(config|tokenizer|preprocessor_config|chat_template)\.(json|jinja)$|\.safetensors$/;
  const names = (await readdir(directory)).filter((name) => wanted.test(name)).sort();
  const hash = createHash("sha256");
  for (const name of names) {
    hash.update(`${name}\n`);
    for await (const piece of createReadStream(join(directory, name), { highWaterMark: 2 ** 20 })) hash.update(piece);
  }
  return hash.digest("hex");
}
