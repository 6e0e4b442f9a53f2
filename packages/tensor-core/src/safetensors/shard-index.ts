// The index of a sharded checkpoint: `{ metadata: { total_size }, weight_map: { tensor: shard file } }`.
import { readFile, stat } from "node:fs/promises";
import { SafetensorsError, withFileErrors } from "./error.ts";
import { MAX_HEADER_BYTES } from "./header.ts";
import { isRecord, parseStrictJson } from "./json.ts";

export const INDEX_SUFFIX: string = ".safetensors.index.json";

/**
 * Tensor name to shard file name. `total_size` is not believed (published checkpoints get it wrong) and not needed.
 * @throws SafetensorsError `index`, `duplicate` or `io`.
 */
export async function readIndex(file: string): Promise<Map<string, string>> {
  const bytes = await withFileErrors(file, "read", async () => {
    const { size } = await stat(file);
    if (size > MAX_HEADER_BYTES)
      throw new SafetensorsError("index", file, `an index of ${size} bytes is over the limit`);
    return readFile(file);
  });
  const root = parseStrictJson(bytes, file, "index");
  const weightMap = isRecord(root) ? root.weight_map : undefined;
  if (!isRecord(weightMap)) throw new SafetensorsError("index", file, "has no object weight_map");
  const entries = new Map<string, string>();
  if (Object.keys(weightMap).length === 0) throw new SafetensorsError("index", file, "its weight_map lists no tensor");
  for (const [name, shard] of Object.entries(weightMap)) {
    // A shard lies beside its index: a path that leads elsewhere is refused.
    if (typeof shard !== "string" || !/^[\w][\w.-]*\.safetensors$/.test(shard)) {
      throw new SafetensorsError(
        "index",
        file,
        `${JSON.stringify(shard)} is not the name of a safetensors file beside it`,
      );
    }
    entries.set(name, shard);
  }
  return entries;
}

/** The text of an index file. */
export function encodeIndex(weightMap: ReadonlyMap<string, string>, totalBytes: number): string {
  // `fromEntries` defines properties, so that a tensor called "__proto__" stays one.
  const content = { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(weightMap) };
  return `${JSON.stringify(content, null, 2)}\n`;
}
