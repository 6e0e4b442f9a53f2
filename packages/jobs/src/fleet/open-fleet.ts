// The fleet of a run: its crew is opened when the run knows what it is made of, and waited for where that is asked.
import { Crew, type Transport } from "@iapo/fleet";
import type { Recipe, TrainablePolicy } from "@iapo/grpo";
import type { RunRecord } from "@iapo/grpo/run-directory";
import type { Environment } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import type { Job } from "../open-job.ts";
import type { JobEvents } from "../run/execute-job.ts";
import { announcementOf } from "./announcement.ts";
import { factsOf, refusal } from "./facts.ts";
import { endingSteps, FleetWorkforce } from "./workforce.ts";

export interface FleetOptions {
  readonly transport: Transport;
  /** The run waits until so many workers are there; default 0. */
  readonly minWorkers?: number | undefined;
  /** Milliseconds after which a silent worker is given up. */
  readonly patience?: number | undefined;
  /** Of the units, the share that two workers are asked for. */
  readonly verify?: number | undefined;
  /** Workers on other adapters may take part: then the same bits are not promised. */
  readonly mixed?: boolean | undefined;
  /** Hears of workers that come, go and fail. */
  readonly onNews?: ((text: string) => void) | undefined;
  /** Hears of the crew when it is open. */
  readonly onCrew?: ((crew: Crew) => void) | undefined;
}

interface FleetParts {
  readonly device: Device;
  readonly policy: TrainablePolicy;
  readonly environment: Environment;
  readonly config: JobConfig;
  readonly identity: Pick<RunRecord, "content">;
  readonly signal: AbortSignal;
  readonly events: JobEvents;
}

export interface OpenFleet extends AsyncDisposable {
  readonly workforce: FleetWorkforce;
  over<R extends Recipe>(recipe: R): R;
}

export async function openFleet(job: Job, options: FleetOptions, parts: FleetParts): Promise<OpenFleet> {
  const { device, policy, environment, config, identity, signal, events } = parts;
  const { transport, patience, verify, onNews, minWorkers = 0, mixed = false } = options;
  const facts = factsOf(device, identity.content);
  const refuse = (given: unknown): string | undefined => refusal(facts, given, mixed);
  const crew = await Crew.open({ transport, run: announcementOf(job), refuse, patience, verify, onNews });
  try {
    options.onCrew?.(crew);
    if (minWorkers > 0) {
      events.onPhase?.("wait for workers");
      await crew.gather(minWorkers, signal);
    }
  } catch (error) {
    await crew.close();
    throw error;
  }
  const isJudged = config.judge !== undefined && config.environment.scoring.scoring === "judge";
  return {
    workforce: new FleetWorkforce({ crew, policy, environment, grpo: config.grpo, isJudged }),
    over: (recipe) => endingSteps(recipe, crew, job.directory),
    [Symbol.asyncDispose]: () => crew.close(),
  };
}
