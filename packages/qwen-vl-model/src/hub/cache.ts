// The Hugging Face cache on disk: `models--owner--name/{blobs,snapshots,refs}`, shared with every other tool that uses it.
import { randomBytes } from "node:crypto";
import { copyFile, link, lstat, readFile, realpath, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { makeDirectory } from "@iapo/rollout-trace/files";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import { hashOf } from "./download.ts";
import { listingSchema, type RemoteFile } from "./listing.ts";

const COMMIT = /^[0-9a-f]{40}$/;
/** Copies up to this size are compared by content, larger ones by size. */
const COMPARED_BYTES = 32 * 2 ** 20;

/** One repository in the cache. */
export class RepositoryCache {
  readonly #folder: string;

  constructor(cacheDirectory: string, repository: string) {
    this.#folder = join(cacheDirectory, `models--${repository.replace("/", "--")}`);
  }

  blobPath(hash: string): string {
    return join(this.#folder, "blobs", hash);
  }

  snapshotPath(commit: string): string {
    return join(this.#folder, "snapshots", commit);
  }

  /** The commit that a revision stood for when it was last downloaded; a commit stands for itself. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return revision;
    const text = await readFile(join(this.#folder, "refs", revision), "utf8").catch(() => "");
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  }

  /**
   * Whether the directory of a commit holds a model: `listed`, all files that the hub listed; `usable`, where another tool filled it and no listing
   * was kept, configuration, tokenizer and every shard of the weights; else `partial`.
   */
  async stateOf(commit: string): Promise<"listed" | "usable" | "partial"> {
    const directory = this.snapshotPath(commit);
    const listing = await this.#listingOf(commit);
    const needed = listing ?? [{ path: "config.json" }, { path: "tokenizer.json" }];
    for (const file of needed) {
      const found = await stat(join(directory, file.path)).catch(() => undefined);
      if (!found?.isFile() || ("size" in file && found.size !== file.size)) return "partial";
    }
    try {
      await using _ = await openSafetensors(directory);
    } catch {
      return "partial";
    }
    return listing ? "listed" : "usable";
  }

  async #listingOf(commit: string): Promise<readonly RemoteFile[] | undefined> {
    try {
      return listingSchema.parse(JSON.parse(await readFile(this.#listingPath(commit), "utf8")));
    } catch {
      return undefined;
    }
  }

  /** Beside the snapshots, where other tools look at nothing. */
  #listingPath(commit: string): string {
    return join(this.#folder, ".listings", `${commit}.json`);
  }

  async keepListing(commit: string, files: readonly RemoteFile[]): Promise<void> {
    await publish(this.#listingPath(commit), (partial) => writeFile(partial, JSON.stringify(files)));
  }

  /** Whether the snapshot has a file as its own copy, as caches without links have. */
  async hasCopy(commit: string, file: RemoteFile): Promise<boolean> {
    const path = join(this.snapshotPath(commit), file.path);
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isFile() || found.size !== file.size) return false;
    return file.size > COMPARED_BYTES || (await hashOf(path, file)) === file.hash;
  }

  /** Makes the file of a snapshot point to its blob. */
  async linkSnapshot(commit: string, path: string, hash: string): Promise<void> {
    const blob = this.blobPath(hash);
    const pointer = join(this.snapshotPath(commit), path);
    if ((await realpath(pointer).catch(() => undefined)) === (await realpath(blob))) return;
    await publish(pointer, async (partial) => {
      try {
        await symlink(relative(dirname(pointer), blob), partial);
        await stat(partial); // it leads elsewhere where a folder above is a link itself
      } catch {
        // Where symbolic links are not allowed (Windows without developer mode) a hard link takes no space either.
        await rm(partial, { force: true });
        await link(blob, partial).catch(() => copyFile(blob, partial));
      }
    });
  }

  /** Notes which commit a revision stands for. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision)) return;
    if ((await this.commitOf(revision)) === commit) return;
    await publish(join(this.#folder, "refs", revision), (partial) => writeFile(partial, commit));
  }
}

/** Makes a file under a name of its own and gives it its name: others see the old one or the new one. */
async function publish(file: string, make: (partial: string) => Promise<void>): Promise<void> {
  await makeDirectory(dirname(file));
  const partial = `${file}.${randomBytes(6).toString("hex")}.partial`;
  try {
    await make(partial);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
