// What the environment says about the hub, in the variables and files that `huggingface_hub` reads.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { QwenVLError } from "../error.ts";

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** `HF_HUB_OFFLINE`, or where that is not set `TRANSFORMERS_OFFLINE`: 1, on, yes or true, in any case. */
export function isOffline(env: NodeJS.ProcessEnv = process.env): boolean {
  return isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE);
}

/** The hub's address without slashes at its end. @throws QwenVLError `hub_network` where it is none */
export function endpointOf(hubUrl: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const address = (hubUrl || env.HF_ENDPOINT || "https://huggingface.co").trim().replace(/\/+$/, "");
  const { protocol = "", username, password, search, hash } = URL.parse(address) ?? {};
  if (username || password || search || hash)
    throw new QwenVLError(
      "hub_network",
      "HF_ENDPOINT: a hub's address holds no user, password, ? or #; a token is HF_TOKEN",
    );
  if (/^https?:$/.test(protocol)) return address;
  throw new QwenVLError(
    "hub_network",
    `HF_ENDPOINT: ${address} is no address of a hub, such as https://huggingface.co`,
  );
}

/**
 * The token given, else `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, or the file that `hf auth login` writes (`HF_TOKEN_PATH`, or `token` in `HF_HOME`).
 * @throws QwenVLError `hub_access` for a text that cannot be sent as one
 */
export async function tokenOf(
  given: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const implicit = async (): Promise<string> =>
    env.HF_TOKEN?.trim() ||
    env.HUGGING_FACE_HUB_TOKEN?.trim() ||
    (await readFile(pathOf(env.HF_TOKEN_PATH, env) || join(homeOf(env), "token"), "utf8").catch(() => ""));
  const token = (given ?? (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN) ? "" : await implicit())).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new QwenVLError("hub_access", "the access token holds characters that no token has; is it the right text?");
  }
  return token === "" ? undefined : token;
}

/** The cache that Hugging Face's tools share: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`. */
export function cacheOf(env: NodeJS.ProcessEnv = process.env): string {
  return pathOf(env.HF_HUB_CACHE, env) || pathOf(env.HUGGINGFACE_HUB_CACHE, env) || join(homeOf(env), "hub");
}

function homeOf(env: NodeJS.ProcessEnv): string {
  return pathOf(env.HF_HOME, env) || join(pathOf(env.XDG_CACHE_HOME, env) || join(homedir(), ".cache"), "huggingface");
}

/** With `~` and `$NAME` in their places, as huggingface_hub reads paths. */
function pathOf(text: string | undefined, env: NodeJS.ProcessEnv): string {
  return (text ?? "")
    .replace(/^~(?=$|[/\\])/, homedir)
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, plain, braced) => env[plain ?? braced] ?? whole);
}
