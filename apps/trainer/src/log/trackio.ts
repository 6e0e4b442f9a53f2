// trackio by the HTTP API of its own server (trackio.show(), a self-hosted one): bulk_log, with an id for each step, by which a second sending counts once.
import { postJson, trackerAddress } from "./http.ts";
import { finite, type Tracker } from "./run-log.ts";

/** @throws TrainerError `argument` where TRACKIO_SERVER_URL is no address */
export function trackio(env: NodeJS.ProcessEnv): Tracker {
  const { TRACKIO_SERVER_URL: given = "", TRACKIO_WRITE_TOKEN: token, TRACKIO_PROJECT: project = "iapo" } = env;
  const { url } = trackerAddress(
    given,
    "--log trackio sends to the server of TRACKIO_SERVER_URL: set it to the address that trackio.show() prints",
  );
  const secret = url.searchParams.get("write_token") ?? token;
  const headers = secret ? { "x-trackio-write-token": secret } : {};
  const api = `${url.origin}${url.pathname.replace(/\/+$/, "")}/api`;
  return {
    name: "trackio",
    async send({ id, name, config }, steps) {
      const logs = steps.map(({ step, metrics }) => ({
        ...{ project, run: name, run_id: id, step, log_id: `${id}-${step}` },
        metrics: Object.fromEntries(finite(metrics)),
        config: step === 0 ? config : null,
      }));
      await postJson(`${api}/bulk_log`, { logs, hf_token: null }, headers);
    },
    async end() {},
  };
}
