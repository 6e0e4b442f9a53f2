// From a hub id or a directory to a directory that holds the whole model.
import { stat } from "node:fs/promises";
import { listFiles, modelInfo, downloadFile as openRemoteFile } from "@huggingface/hub";
import { QwenVLError, reasonOf } from "../error.ts";
import { RepositoryCache } from "./cache.ts";
import { downloadFile, isWhole } from "./download.ts";
import { cacheOf, endpointOf, isOffline, tokenOf } from "./environment.ts";
import { wantedFiles } from "./listing.ts";
import { hubFetch, withHubErrors } from "./request.ts";

export interface DownloadProgress {
  /** The file at work. */
  readonly file: string;
  readonly fileBytes: number;
  readonly fileTotal: number;
  /** Over all files of the model, those already there included. */
  readonly bytes: number;
  readonly total: number;
}

export interface ResolveModelOptions {
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string;
  /** Default: the cache that Hugging Face's tools share (`HF_HUB_CACHE`, `HF_HOME`). */
  readonly cacheDirectory?: string;
  /** Default: `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, or what `hf auth login` keeps. */
  readonly accessToken?: string;
  /** Default: the environment's `HF_ENDPOINT`, else the public hub. */
  readonly hubUrl?: string;
  /** Never touches the network; default: whether `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is 1, on, yes or true. */
  readonly offline?: boolean;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * The local directory of a model. A directory is returned as it is. A hub id is looked up online and downloaded into the Hugging Face cache,
 * as far as it is not there; a commit that is there as the hub listed it is not looked up again. Where the hub cannot be reached, or `offline` is
 * set, a complete model in the cache is used.
 * @param model `owner/name`, or a path
 * @throws QwenVLError `hub_id`, `hub_access`, `hub_not_found`, `hub_network`, `hub_corrupt`, `hub_offline` or `io`.
 */
export async function resolveModel(model: string, options: ResolveModelOptions = {}): Promise<string> {
  if ((await stat(model).catch(() => undefined))?.isDirectory()) return model;
  if (!/^[\w][\w.-]*\/[\w][\w.-]*$/.test(model) || model.includes("..")) {
    throw new QwenVLError("hub_id", `${model}: neither a directory nor a hub id of the form owner/name`);
  }
  const revision = options.revision ?? "main";
  if (!/^[\w][\w./+@=-]*$/.test(revision) || revision.includes("..")) {
    throw new QwenVLError("hub_id", `${revision}: not a branch, tag or commit`);
  }
  const cache = new RepositoryCache(options.cacheDirectory ?? cacheOf(), model);
  const commit = await cache.commitOf(revision);
  const state = commit === undefined ? "partial" : await cache.stateOf(commit);
  const cached = commit === undefined || state === "partial" ? undefined : cache.snapshotPath(commit);
  if (cached !== undefined && commit === revision && state === "listed") return cached;
  if (options.offline ?? isOffline()) {
    if (cached !== undefined) return cached;
    throw new QwenVLError("hub_offline", `${model}@${revision}: offline, and the cache does not hold the whole model`);
  }
  const hubUrl = endpointOf(options.hubUrl);
  try {
    return await download(model, revision, cache, { ...options, hubUrl });
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    if (error instanceof QwenVLError && error.code === "hub_network" && cached !== undefined) return cached;
    throw error;
  }
}

async function download(
  model: string,
  revision: string,
  cache: RepositoryCache,
  options: ResolveModelOptions & { readonly hubUrl: string },
): Promise<string> {
  const { hubUrl, signal } = options;
  const token = await tokenOf(options.accessToken);
  const request = { repo: { type: "model", name: model } as const, hubUrl, fetch: hubFetch({ hubUrl, token, signal }) };
  const label = `${model}@${revision}`;
  const { sha: commit } = await withHubErrors(label, () =>
    modelInfo({ ...request, name: model, revision, additionalFields: ["sha"] }),
  );
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new QwenVLError("hub_network", `${label}: the hub names no commit`);
  const files = await withHubErrors(label, () => wantedFiles(listFiles({ ...request, revision: commit }), label));
  // A cache that may only be read serves as long as the files are there.
  await cache.keepListing(commit, files).catch(() => {});
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let finished = 0;
  for (const file of files) {
    const report = (fileBytes: number): void =>
      options.onProgress?.({ file: file.path, fileBytes, fileTotal: file.size, bytes: finished + fileBytes, total });
    const blob = cache.blobPath(file.hash);
    if (!(await isWhole(blob, file)) && (await cache.hasCopy(commit, file))) report(file.size);
    else {
      // Plain HTTP ranges, which the hub serves for every kind of storage.
      const open = (): Promise<Blob> =>
        withRetryableErrors(`${label}/${file.path}`, () =>
          openRemoteFile({ ...request, path: file.path, revision: commit, xet: false }),
        );
      await withLocalErrors(blob, async () => {
        if (await isWhole(blob, file)) report(file.size);
        else await downloadFile(file, blob, { source: open, onBytes: report, signal });
        await cache.linkSnapshot(commit, file.path, file.hash);
      });
    }
    finished += file.size;
  }
  await withLocalErrors(label, () => cache.writeRef(revision, commit));
  return cache.snapshotPath(commit);
}

/** Refusals end the download; anything else is left as it is, to be tried again. */
async function withRetryableErrors(what: string, work: () => Promise<Blob | null>): Promise<Blob> {
  try {
    const blob = await withHubErrors(what, work);
    if (blob === null) throw new QwenVLError("hub_not_found", `${what}: not found`);
    return blob;
  } catch (error) {
    if (error instanceof QwenVLError && error.code === "hub_network") throw new Error(error.message, { cause: error });
    throw error;
  }
}

async function withLocalErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof QwenVLError) throw cause;
    throw new QwenVLError("io", `${path}: ${reasonOf(cause)}`, { cause });
  }
}
