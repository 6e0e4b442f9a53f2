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
  if (/^https?:$/.test(URL.parse(address)?.protocol ?? "")) return address;
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
    (await readFile(env.HF_TOKEN_PATH || join(homeOf(env), "token"), "utf8").catch(() => ""));
  const token = (given ?? (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN) ? "" : await implicit())).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new QwenVLError("hub_access", "the access token holds characters that no token has; is it the right text?");
  }
  return token === "" ? undefined : token;
}

function homeOf(env: NodeJS.ProcessEnv): string {
  return env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
}

/** What to do where the network fails and a proxy is set that Node does not use by itself. */
export function proxyAdvice(env: NodeJS.ProcessEnv = process.env): string {
  const name = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].find((key) => env[key]);
  const used = env.NODE_USE_ENV_PROXY === "1" || `${process.execArgv} ${env.NODE_OPTIONS}`.includes("--use-env-proxy");
  return name === undefined || used ? "" : `; ${name} is set, which Node uses with NODE_USE_ENV_PROXY=1 only`;
}
