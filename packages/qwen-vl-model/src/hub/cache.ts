/** The Hugging Face cache on disk: `models--owner--name/{blobs,snapshots,refs}`, shared with every other tool that uses it. */
import { randomBytes } from "node:crypto";
import { link, lstat, mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { openSafetensors } from "@iapo/tensor-core/safetensors";

const COMMIT = /^[0-9a-f]{40}$/;

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

  /** The directory of a commit, if the configuration and every shard of the weights are there and whole. */
  async completeSnapshot(commit: string): Promise<string | undefined> {
    const directory = this.snapshotPath(commit);
    try {
      await stat(join(directory, "config.json"));
      await using _ = await openSafetensors(directory);
      return directory;
    } catch {
      return undefined;
    }
  }

  /** Makes the file of a snapshot point to its blob. */
  async linkSnapshot(commit: string, path: string, hash: string): Promise<void> {
    const blob = this.blobPath(hash);
    const pointer = join(this.snapshotPath(commit), path);
    await mkdir(dirname(pointer), { recursive: true });
    if (await lstat(pointer).catch(() => undefined)) await rm(pointer);
    // Where symbolic links are not allowed (Windows without developer mode) a hard link takes no space either.
    await symlink(relative(dirname(pointer), blob), pointer).catch(() => link(blob, pointer));
  }

  /** Notes which commit a revision stands for. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision)) return;
    const file = join(this.#folder, "refs", revision);
    await mkdir(dirname(file), { recursive: true });
    const partial = `${file}.${randomBytes(6).toString("hex")}.partial`;
    await writeFile(partial, commit);
    await rename(partial, file);
  }
}
