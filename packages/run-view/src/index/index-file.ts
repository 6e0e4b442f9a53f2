// The index of a run on disk: a line of JSON for each step, the last one of a step counting. Beside the run, or where that cannot be written,
// in the user's cache. It can be deleted at any time.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type StepEntry, stepEntrySchema } from "./step-entry.ts";

/** Another version's index is made again. */
const head = `{"view-index":1}\n`;
/** An index beyond this is not ours, or of a run that this reader cannot hold. */
const mostBytes = 512 * 2 ** 20;

export class IndexFile {
  readonly #directory: string;
  readonly #name: string;
  #handle: FileHandle | undefined;
  #isReadOnly = false;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
  }

  /** What was kept, by step. Lines that are damaged or of another form are passed over: those steps are read again. */
  async load(): Promise<Map<number, StepEntry>> {
    const entries = new Map<number, StepEntry>();
    const handle = await this.#open();
    if (!handle) return entries;
    const { size } = await handle.stat();
    const isOurs = size <= mostBytes && size >= head.length && (await beginning(handle)) === head;
    if (!isOurs) {
      await this.#rewrite(handle, []);
      return entries;
    }
    let lines = 0;
    for await (const line of handle.readLines({ start: 0, autoClose: false })) {
      const entry = stepEntrySchema.safeParse(jsonOrUndefined(line));
      if (entry.success) entries.set(entry.data.step, entry.data);
      lines++;
    }
    if (lines > 2 * entries.size + 16) await this.#rewrite(handle, entries.values()); // steps were made again and again
    return entries;
  }

  async #rewrite(handle: FileHandle, entries: Iterable<StepEntry>): Promise<void> {
    await handle.truncate(0);
    await handle.appendFile(head);
    for (const entry of entries) await this.add(entry);
  }

  /** Adds a step, if there is a place to keep it. */
  async add(entry: StepEntry): Promise<void> {
    if (this.#handle) await this.#handle.appendFile(`${JSON.stringify(entry)}\n`).catch(() => this.close()); // a full disk costs the index only
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#isReadOnly = true;
    await handle?.close().catch(() => undefined);
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#handle || this.#isReadOnly) return this.#handle;
    this.#handle = (await opened(join(this.#directory, this.#name))) ?? (await opened(await this.#cachePath()));
    return this.#handle;
  }

  async #cachePath(): Promise<string> {
    const path = await realpath(this.#directory).catch(() => this.#directory);
    const key = createHash("sha256").update(`${path}\n${this.#name}`).digest("hex").slice(0, 32);
    const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
    return join(caches, "iapo", "view", `${key}.jsonl`);
  }
}

/** Undefined where it cannot be written. A link in its place is not followed: a run's directory may come from others. */
async function opened(path: string): Promise<FileHandle | undefined> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  try {
    if (path.includes(join("iapo", "view"))) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, O_RDWR | O_CREAT | O_APPEND | (O_NOFOLLOW ?? 0), 0o600);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch {
    return undefined;
  }
  return undefined;
}

async function beginning(handle: FileHandle): Promise<string> {
  const { buffer } = await handle.read(Buffer.alloc(head.length), 0, head.length, 0);
  return buffer.toString();
}

function jsonOrUndefined(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
