// Scored calls of a teacher on disk, one file each, named by the SHA-256 of all that decides them: a line of JSON, and the line's SHA-256.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { problemOf } from "@iapo/rollout-trace";
import { makeDirectory, removeAbandoned, writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { IapoError } from "../error.ts";

/** What a teacher's own call to a prompt rests on. */
export interface ScoredCall {
  /** What the teacher wrote. */
  readonly text: string;
  /** False where it wrote no call: then all that it wrote was explained. */
  readonly isCall: boolean;
  /** The blocks. */
  readonly names: readonly string[];
  /** [blocks] */
  readonly scores: readonly number[];
}

const schema = z.strictObject({
  version: z.literal(1),
  key: z.string(),
  call: z.strictObject({
    text: z.string(),
    isCall: z.boolean(),
    names: z.array(z.string()),
    scores: z.array(z.number()),
  }),
});

const MOST_BYTES = 2 ** 22;

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Keeps calls in memory, and in a directory if it has one. A file that cannot be trusted counts as missing, and is named in a warning. */
export class CallCache {
  readonly #directory: string | undefined;
  readonly #onWarning: (message: string) => void;
  readonly #calls = new Map<string, ScoredCall>();
  #made: Promise<void> | undefined;

  constructor(directory: string | undefined, onWarning: (message: string) => void) {
    this.#directory = directory;
    this.#onWarning = onWarning;
  }

  async get(key: string): Promise<ScoredCall | undefined> {
    const known = this.#calls.get(key) ?? (this.#directory && (await this.#read(this.#directory, key)));
    if (!known) return undefined;
    this.#calls.set(key, known);
    return known;
  }

  /** @throws IapoError `cache` where the file cannot be written; no part of one is left then */
  async set(key: string, call: ScoredCall): Promise<void> {
    this.#calls.set(key, call);
    if (this.#directory === undefined) return;
    const file = fileOf(this.#directory, key);
    try {
      this.#made ??= made(this.#directory);
      await this.#made;
      await writeFileAtomic(file, signed(JSON.stringify({ version: 1, key, call })));
    } catch (cause) {
      throw new IapoError("cache", `the teacher's calls cannot be kept: ${(cause as Error).message}`, { cause });
    }
  }

  async #read(directory: string, key: string): Promise<ScoredCall | undefined> {
    const file = fileOf(directory, key);
    try {
      const { size } = await stat(file);
      if (size > MOST_BYTES) throw new Error(`it has ${size} bytes`);
      const text = await readFile(file, "utf8");
      const [line = ""] = text.split("\n", 1);
      if (text !== signed(line)) throw new Error("its SHA-256 does not fit its content");
      const { key: own, call } = schema.parse(JSON.parse(line));
      if (own !== key) throw new Error("it holds another call");
      if (call.names.length !== call.scores.length) throw new Error("it has not one score for each block");
      return call;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      const reason = problemOf(error);
      this.#onWarning(`${file} is not a cached call of a teacher, and is made again: ${reason}`);
      return undefined;
    }
  }
}

/** There, and without what a killed process has left in it. */
async function made(directory: string): Promise<void> {
  await makeDirectory(directory);
  await removeAbandoned(directory);
}

function signed(line: string): string {
  return `${line}\n${sha256(line)}\n`;
}

function fileOf(directory: string, key: string): string {
  return join(directory, `${key}.json`);
}
