// A model directory to the hub: a repository is made where there is none, and one commit puts all files into it.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commit, createRepo, HubApiError } from "@huggingface/hub";
import { QwenVLError, reasonOf } from "../error.ts";
import { endpointOf, isOffline, tokenOf } from "./environment.ts";
import { hubFetch, withHubErrors } from "./request.ts";

export interface PushModelOptions {
  /** Default: `HF_ENDPOINT`, else huggingface.co. */
  readonly hubUrl?: string | undefined;
  /** Default: as `resolveModel` finds it. */
  readonly token?: string | undefined;
  /** Of a repository that is made: seen by its owner only. Default: as its owner has set it. */
  readonly isPrivate?: boolean | undefined;
  /** Of the commit. */
  readonly title?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PushedModel {
  /** The address of the repository. */
  readonly url: string;
  /** The commit's id. */
  readonly commit: string;
  readonly files: readonly string[];
}

/**
 * Uploads the files of `directory`, none of its folders, as one commit on `main`: all of them are there afterwards, or none.
 * @param repository `owner/name`
 * @throws QwenVLError `hub_id`, `hub_offline`, `hub_access` also without a token, `hub_not_found`, `hub_network`, `io`; the reason of the signal
 */
export async function pushModel(
  directory: string,
  repository: string,
  { isPrivate, title = "Upload a model", signal, ...options }: PushModelOptions = {},
): Promise<PushedModel> {
  if (!/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(repository))
    throw new QwenVLError("hub_id", `${repository}: expected a repository as owner/name`);
  if (isOffline()) throw new QwenVLError("hub_offline", "HF_HUB_OFFLINE is set: nothing can be pushed");
  const hubUrl = endpointOf(options.hubUrl);
  const token = await tokenOf(options.token);
  if (token === undefined)
    throw new QwenVLError(
      "hub_access",
      `${hubUrl}: a push needs an access token that may write: HF_TOKEN, or hf auth login`,
    );
  const files = await filesOf(directory);
  const fetch = hubFetch({ hubUrl, token, signal });
  const accessToken = ""; // the library takes those of one hub only; `fetch` sends ours
  const repo = { type: "model", name: repository } as const;
  const visibility =
    isPrivate === undefined ? {} : { visibility: isPrivate ? ("private" as const) : ("public" as const) };
  return withHubErrors(`${hubUrl}/${repository}`, async () => {
    signal?.throwIfAborted();
    await createRepo({ repo, hubUrl, fetch, accessToken, ...visibility }).catch((cause: unknown) => {
      if (!(cause instanceof HubApiError && cause.statusCode === 409)) throw cause; // it is there already
    });
    const operations = files.map((path) => ({
      operation: "addOrUpdate" as const,
      path,
      content: pathToFileURL(join(directory, path)),
    }));
    const made = await commit({
      accessToken,
      repo,
      title,
      operations,
      hubUrl,
      fetch,
      useXet: false,
      ...(signal && { abortSignal: signal }),
    });
    if (!made) throw new Error("the hub made no commit");
    return { url: `${hubUrl}/${repository}`, commit: made.commit.oid, files };
  });
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    const found = await Promise.all(
      names.map(async (name) => ({ name, isFile: (await stat(join(directory, name))).isFile() })),
    );
    return found.flatMap(({ name, isFile }) => (isFile ? [name] : [])).sort();
  } catch (cause) {
    throw new QwenVLError("io", `${directory}: ${reasonOf(cause)}`, { cause });
  }
}
