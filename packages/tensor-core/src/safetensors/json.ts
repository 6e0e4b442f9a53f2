// JSON from a hostile file: bounded in depth and refused where a key occurs twice, which `JSON.parse` would let pass.
import { SafetensorsError } from "./error.ts";

/** A header is an object of objects whose values are at most lists: three levels. An index may hold anything as its metadata. */
const MAX_DEPTH = { header: 3, index: 32 } as const;

/**
 * Parses UTF-8 JSON.
 * @throws SafetensorsError `header` (or `index`) for bad UTF-8, bad JSON, too many levels; `duplicate` for a repeated key.
 */
export function parseStrictJson(bytes: Uint8Array, file: string, fault: "header" | "index"): unknown {
  const what = fault === "header" ? "the header" : "the index";
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    checkKeysAndDepth(text, file, fault);
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SafetensorsError(fault, file, `${what} is not JSON in UTF-8: ${reason}`, { cause });
  }
}

/** One pass over the text before anything is built from it. Anything that is not JSON is left for `JSON.parse` to refuse. */
function checkKeysAndDepth(text: string, file: string, fault: "header" | "index"): void {
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\]]/sy;
  const skip = /[^"{}[\]]+/y;
  const keys: Set<string>[] = [];
  for (let at = 0; at < text.length; ) {
    skip.lastIndex = at;
    if (skip.test(text)) at = skip.lastIndex;
    if (at >= text.length) return;
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return;
    at = token.lastIndex;
    const found = match[0];
    if (found === "{" || found === "[") {
      if (keys.length === MAX_DEPTH[fault]) {
        throw new SafetensorsError(fault, file, `JSON is nested more than ${MAX_DEPTH[fault]} levels deep`);
      }
      keys.push(new Set());
    } else if (found === "}" || found === "]") {
      keys.pop();
    } else if (match[1] !== undefined) {
      const key = JSON.parse(found.slice(0, found.length - match[1].length)) as string;
      const seen = keys.at(-1);
      if (seen?.has(key)) throw new SafetensorsError("duplicate", file, `${JSON.stringify(key)} occurs twice`);
      seen?.add(key);
    }
  }
}

/** Whether a parsed value is a plain object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
