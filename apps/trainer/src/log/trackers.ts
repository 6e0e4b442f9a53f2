// The trackers that --log names.
import { TrainerError } from "../error.ts";
import { mlflow } from "./mlflow.ts";
import type { Tracker } from "./run-log.ts";
import { trackio } from "./trackio.ts";
import { wandb } from "./wandb.ts";

const makers: Readonly<Record<string, (env: NodeJS.ProcessEnv) => Tracker>> = { trackio, wandb, mlflow };

export const trackerNames: readonly string[] = Object.keys(makers);

/** @throws TrainerError `argument` for a name that none has, or where its address is not said */
export function openTracker(name: string, env: NodeJS.ProcessEnv): Tracker {
  const make = makers[name];
  if (make) return make(env);
  throw new TrainerError("argument", `--log ${name}: there is ${trackerNames.join(", ")}`);
}
