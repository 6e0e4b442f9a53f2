// MLflow by its REST API 2.0: experiments/get-by-name and create, runs/create, runs/log-batch, runs/update.
import { z } from "zod";
import { basic, getJson, postJson, trackerAddress } from "./http.ts";
import { finite, flat, type TrackedRun, type Tracker } from "./run-log.ts";

const experimentSchema = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const createdSchema = z.object({ experiment_id: z.string() });
const runSchema = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const foundSchema = z.object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).optional() });

/** What one log-batch takes. */
const MOST = { metrics: 1000, params: 100, value: 500 };

/** @throws TrainerError `argument` where MLFLOW_TRACKING_URI is no address */
export function mlflow(env: NodeJS.ProcessEnv): Tracker {
  const {
    MLFLOW_TRACKING_URI: uri = "",
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password = "",
    MLFLOW_EXPERIMENT_NAME: experiment = "iapo",
  } = env;
  const address = trackerAddress(
    uri,
    "--log mlflow sends to the server of MLFLOW_TRACKING_URI: set it, such as http://127.0.0.1:5000",
  );
  const headers = user ? basic(user, password) : token ? { authorization: `Bearer ${token.trim()}` } : address.headers;
  const api = `${address.url.href.replace(/\/+$/, "")}/api/2.0/mlflow`;
  let known: Promise<string> | undefined;

  const post = (path: string, body: object) => postJson(`${api}/${path}`, body, headers);

  async function experimentId(): Promise<string> {
    const found = await getJson(
      `${api}/experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`,
      headers,
    );
    if (found !== undefined) return experimentSchema.parse(found).experiment.experiment_id;
    return createdSchema.parse(await post("experiments/create", { name: experiment })).experiment_id;
  }

  /** Ours by a tag: a run that goes on goes on there, too. */
  async function runId({ id, name, config }: TrackedRun): Promise<string> {
    const experiment_ids = [await experimentId()];
    const filter = `tags.\`iapo.run\` = '${id}'`;
    const found = foundSchema.parse(await post("runs/search", { experiment_ids, filter, max_results: 1 })).runs?.[0];
    if (found) {
      await post("runs/update", { run_id: found.info.run_id, status: "RUNNING" });
      return found.info.run_id;
    }
    const tags = [{ key: "iapo.run", value: id }];
    const made = await post("runs/create", {
      experiment_id: experiment_ids[0],
      run_name: name,
      start_time: Date.now(),
      tags,
    });
    const { run_id } = runSchema.parse(made).run.info;
    const params = flat(config).map(([key, value]) => ({ key: key.slice(0, 250), value: value.slice(0, MOST.value) }));
    for (let at = 0; at < params.length; at += MOST.params)
      await post("runs/log-batch", { run_id, params: params.slice(at, at + MOST.params) });
    return run_id;
  }

  const idOf = (run: TrackedRun): Promise<string> => {
    known ??= runId(run);
    known.catch(() => (known = undefined)); // asked again with the next step
    return known;
  };

  return {
    name: "mlflow",
    async send(run, steps) {
      const run_id = await idOf(run);
      const timestamp = Date.now();
      const metrics = steps.flatMap(({ step, metrics: of }) =>
        finite(of).map(([key, value]) => ({ key, value, step, timestamp })),
      );
      for (let at = 0; at < metrics.length; at += MOST.metrics)
        await post("runs/log-batch", { run_id, metrics: metrics.slice(at, at + MOST.metrics) });
    },
    async end(run, done) {
      const ended = done ? { status: "FINISHED", end_time: Date.now() } : { status: "SCHEDULED" };
      await post("runs/update", { run_id: await idOf(run), ...ended });
    },
  };
}
