// Which files of a repository a model needs. The hub's answer is as hostile as any input: names, hashes and sizes are checked.
import { z } from "zod";
import { QwenVLError } from "../error.ts";

/** A file as the hub announces it. */
export interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of a large file's content (64 digits), or git's SHA-1 of a small one (40): the name of the blob. */
  readonly hash: string;
}

/** Names without a slash: nothing from the hub leads out of the cache. */
const WANTED =
  /^((config|generation_config|preprocessor_config|video_preprocessor_config|processor_config|tokenizer|tokenizer_config|chat_template)\.json|chat_template\.jinja|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json)$/;

/** A hub may list on and on. */
const MOST_ENTRIES = 100_000;

const remoteFile = z.object({
  path: z.string().regex(WANTED),
  size: z.int().min(0),
  hash: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
});

/** A listing that was kept. */
export const listingSchema: z.ZodType<readonly RemoteFile[]> = z.array(remoteFile).min(1).max(10_000);

interface Entry {
  readonly type: string;
  readonly path: string;
  readonly size: number;
  readonly oid?: string;
  readonly lfs?: { readonly oid: string };
}

/** @throws QwenVLError `hub_network` for an answer that cannot be, `hub_not_found` where there is no model */
export async function wantedFiles(listing: AsyncIterable<Entry>, label: string): Promise<RemoteFile[]> {
  const files: RemoteFile[] = [];
  let entries = 0;
  const others: string[] = [];
  for await (const { type, path, size, oid, lfs } of listing) {
    if (++entries > MOST_ENTRIES)
      throw new QwenVLError("hub_network", `${label}: the hub lists more than ${MOST_ENTRIES} files`);
    if (type !== "file") continue;
    if (!WANTED.test(path)) {
      if (/\.(bin|pt|safetensors|gguf)$/.test(path) && others.length < 3) others.push(path);
      continue;
    }
    const { success, data } = remoteFile.safeParse({ path, size, hash: lfs?.oid ?? oid });
    if (!success)
      throw new QwenVLError("hub_network", `${label}: the hub describes ${path} by no usable hash and size`);
    files.push(data);
  }
  // A repository with both layouts is read from the single file.
  const single = files.some(({ path }) => path === "model.safetensors");
  const wanted = files.filter(({ path }) => !single || path === "model.safetensors" || !path.includes(".safetensors"));
  if (!wanted.some(({ path }) => path === "config.json") || !wanted.some(({ path }) => path.endsWith(".safetensors"))) {
    const instead =
      others.length === 0 ? "" : `, but ${others.join(", ")}, which is not read: convert it to model.safetensors`;
    throw new QwenVLError("hub_not_found", `${label}: holds no config.json or no safetensors weights${instead}`);
  }
  return wanted;
}
