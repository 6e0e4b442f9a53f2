/**
 * What to do where a request fails and a proxy is set that Node does not use by itself; empty where that is not why.
 * @param url of the request, where it may be to this machine, which wants no proxy
 */
export function proxyAdvice(url?: string, env: NodeJS.ProcessEnv = process.env): string {
  const name = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].find((key) => env[key]);
  const used = env.NODE_USE_ENV_PROXY === "1" || `${process.execArgv} ${env.NODE_OPTIONS}`.includes("--use-env-proxy");
  const isHere = url !== undefined && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(URL.parse(url)?.hostname ?? "");
  return name === undefined || used || isHere ? "" : `; ${name} is set, which Node uses with NODE_USE_ENV_PROXY=1 only`;
}
