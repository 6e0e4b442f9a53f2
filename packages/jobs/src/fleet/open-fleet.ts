// The fleet of a run: its crew is opened when the run knows what it is made of, and waited for where that is asked.
import { Crew, type Transport } from "@iapo/fleet";
import type { Recipe, TrainablePolicy } from "@iapo/grpo";
import type { RunRecord } from "@iapo/grpo/run-directory";
import type { Environment } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { Judge } from "@iapo/vqa-tasks/scoring";
import type { JobConfig } from "../config/schema.ts";
import type { Job } from "../open-job.ts";
import type { JobEvents } from "../run/execute-job.ts";
import { announcementOf } from "./announcement.ts";
import { factsOf, refusal } from "./facts.ts";
import { judgeAnswers } from "./judging.ts";
import { FleetNow, WorkRecord } from "./who-did-what.ts";
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
  /** Where there is one, the learner's: workers put their questions to it. */
  readonly judge: Judge | undefined;
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
  const { device, policy, environment, judge, config, identity, signal, events } = parts;
  const { transport, patience, verify, onNews, minWorkers = 0, mixed = false } = options;
  const facts = factsOf(device, identity.content);
  const refuse = (given: unknown): string | undefined => refusal(facts, given, mixed);
  const crew = await Crew.open({
    ...{ transport, run: announcementOf(job), refuse, patience, verify, onNews },
    versions: versionsOf(config),
    answer: judge && judgeAnswers(judge),
  });
  const record = new WorkRecord(job.directory, mixed);
  const closing = new AsyncDisposableStack();
  closing.defer(() => crew.close());
  closing.defer(() => record.write());
  closing.use(new FleetNow(crew, job.directory));
  try {
    options.onCrew?.(crew);
    if (minWorkers > 0) {
      events.onPhase?.("wait for workers");
      await crew.gather(minWorkers, signal);
    }
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
  return {
    workforce: new FleetWorkforce({ crew, policy, environment, grpo: config.grpo }),
    over: (recipe) => endingSteps(recipe, crew, job.directory, (done) => record.add(done)),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** The newest, the one before, and those by which steps to come are rolled out. */
function versionsOf({ grpo: { maxLag = 0, groups, update } }: JobConfig): number {
  const { epochs, miniBatch = groups } = update;
  return 2 + maxLag * epochs * Math.ceil(groups / miniBatch);
}
