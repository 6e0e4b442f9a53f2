// Reads and validates small JSON files; what is wrong is said with file and field.
import type { z } from "zod";
import { QwenVLError, reasonOf } from "../error.ts";

/** Configuration files are a few KB; a tokenizer has its own limit. */
const MAX_BYTES = 4 * 2 ** 20;

/** The parsed file, or `undefined` where there is none. */
export async function readJsonFile(file: string, maxBytes: number = MAX_BYTES): Promise<unknown> {
  const text = await readTextFile(file, maxBytes);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const isPage = /^\s*<(?:!doctype|html)/i.test(text);
    const reason = isPage ? "a page that was saved in its place; download it again" : `not JSON: ${reasonOf(cause)}`;
    throw new QwenVLError("config", `${file}: ${reason}`, { cause });
  }
}

/** The parsed object of a file, or `undefined` where there is none. */
export async function readJsonObject(file: string): Promise<JsonObject | undefined> {
  const json = await readJsonFile(file);
  if (json === undefined || isObject(json)) return json;
  throw new QwenVLError("config", `${file}: not a JSON object`);
}

const POINTER = "version https://git-lfs.github.com/spec/";

/** The text of a file in UTF-8, without a byte order mark, or `undefined` where there is none. */
export async function readTextFile(file: string, maxBytes: number = MAX_BYTES): Promise<string | undefined> {
  const { readFile, stat } = await import("node:fs/promises");
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new QwenVLError("io", `${file}: not a regular file`); // a pipe would be waited for
    const { size } = found;
    if (size > maxBytes) throw new QwenVLError("io", `${file}: ${size} bytes are over the limit of ${maxBytes}`);
    return textOf(await readFile(file), file);
  } catch (cause) {
    if (cause instanceof QwenVLError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new QwenVLError("io", `${file}: ${reasonOf(cause)}`, { cause });
  }
}

function textOf(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new QwenVLError("config", `${file}: not UTF-8; save the file in that encoding`, { cause });
  }
  if (!text.startsWith(POINTER)) return text;
  const advice = "run `git lfs pull` in its repository, or download it again";
  throw new QwenVLError("config", `${file}: a Git LFS pointer, not the file that it stands for: ${advice}`);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A null stands for an absent field everywhere; what is no object stays what it is. */
export function withoutNulls<Value>(json: Value): Value extends JsonObject ? JsonObject : Value;
export function withoutNulls(json: unknown): unknown {
  return isObject(json) ? Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null)) : json;
}

/**
 * Validates `value`, whose place in the file is `path`.
 * @throws QwenVLError `config`, naming the file, each faulty field, and the key that was probably meant.
 */
export function validate<T>(schema: z.ZodType<T>, value: unknown, file: string, path = ""): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path: keys, message }) => {
    const field = [path, ...keys.map(String)].filter((part) => part !== "").join(".");
    return `${field === "" ? "the file" : field}: ${message}${suggestion(value, keys)}`;
  });
  throw new QwenVLError("config", `${file}: ${faults.join("; ")}`, { cause: result.error });
}

/** For a field that is absent: the key of the same object that is spelled almost like it. */
function suggestion(value: unknown, keys: readonly PropertyKey[]): string {
  const [key, ...deeper] = keys;
  if (typeof key !== "string" || deeper.length > 0 || !isObject(value) || Object.hasOwn(value, key)) return "";
  const near = Object.keys(value).find((candidate) => editDistance(candidate, key) <= 2);
  return near === undefined ? "" : ` (is ${JSON.stringify(near)} meant to be it?)`;
}

/** Levenshtein distance, or 3 where it is certainly more than 2. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let [diagonal = 0] = row;
    let left = i;
    const next = [left];
    for (const [j, above] of row.slice(1).entries()) {
      left = Math.min(above + 1, left + 1, diagonal + (a[i - 1] === b[j] ? 0 : 1));
      diagonal = above;
      next.push(left);
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
