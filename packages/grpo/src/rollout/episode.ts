// One episode while it runs; at its end it is a trace.
import {
  type EarlierTurn,
  type Environment,
  type Image,
  type PromptBlock,
  type Rewards,
  type StepResult,
  type Task,
  type ToolOutcome,
  type Trace,
  type Turn,
  type TurnInput,
  traceVersion,
} from "@iapo/rollout-trace";
import type { Failure } from "./options.ts";
import { withTurnRewards } from "./turn-rewards.ts";

export interface EpisodePlace {
  readonly step: number;
  readonly group: number;
  readonly sample: number;
  readonly policyVersion: number;
}

/** Characters of a reason that are kept. */
const LONGEST_REASON = 500;

export class Episode<Content = unknown> {
  readonly task: Task<Content>;
  readonly place: EpisodePlace;
  failure: Failure | undefined;
  /** Milliseconds that the environment has kept the thread. */
  toolTime = 0;
  readonly #environment: Environment<Content>;
  readonly #timeout: number | undefined;
  readonly #blocks: PromptBlock[] = [];
  readonly #turns: Turn[] = [];
  readonly #earlier: EarlierTurn[] = [];
  readonly #toolOutcomes: ToolOutcome[] = [];
  readonly #turnRewards: (number | undefined)[] = [];
  #rewards: Promise<Rewards | undefined> = Promise.resolve(undefined);

  constructor(
    environment: Environment<Content>,
    task: Task<Content>,
    place: EpisodePlace,
    timeout: number | undefined,
  ) {
    this.#environment = environment;
    this.task = task;
    this.place = place;
    this.#timeout = timeout;
  }

  /** Turns written so far. */
  get turns(): number {
    return this.#turns.length;
  }

  /** Takes a turn that was written from `input`; what the next one starts from, or undefined where the episode is over or has failed. */
  async take(input: TurnInput, turn: Turn, maxTurns: number): Promise<TurnInput | undefined> {
    const first = this.#blocks.length;
    this.#blocks.push(...input.blocks, ...(input.assistant ?? []));
    this.#turns.push(
      first === 0 ? turn : { ...turn, blocks: turn.blocks.map((block) => (block < 0 ? -1 : block + first)) },
    );
    try {
      const begun = performance.now();
      const stepped = this.#environment.step(this.task, turn, [...this.#earlier]);
      this.toolTime += performance.now() - begun;
      const result = await this.#inTime(stepped, "its step");
      return this.#follow(result, turn, maxTurns);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Ends it without rewards. */
  fail(cause: unknown): undefined {
    const { group, sample } = this.place;
    const message = cause instanceof Error ? cause.message : String(cause);
    this.failure ??= { group, sample, task: this.task.id, message: message.slice(0, LONGEST_REASON), cause };
  }

  /** Waits for the rewards; undefined where the episode failed. */
  rewards(): Promise<Rewards | undefined> {
    return this.#rewards;
  }

  trace(rewards: Rewards): Trace<Image, Content> {
    return {
      version: traceVersion,
      ...this.place,
      task: this.task,
      blocks: this.#blocks,
      turns: this.#turns,
      toolOutcomes: this.#toolOutcomes,
      rewards,
    };
  }

  #follow({ next, done, reward, tool }: StepResult, turn: Turn, maxTurns: number): TurnInput | undefined {
    this.#turnRewards.push(reward);
    if (tool) this.#toolOutcomes.push(tool);
    this.#earlier.push({ text: turn.text, tool });
    if (done) {
      this.#rewards = this.#inTime(Promise.resolve(done.rewards), "its rewards")
        .then((rewards) => checkRewards(withTurnRewards(rewards, this.#turnRewards)))
        .catch((error) => this.fail(error));
      return undefined;
    }
    if (!next) throw new Error("the environment gave neither a next turn nor rewards");
    if (this.#turns.length >= maxTurns) throw new Error(`the environment asks for more than ${maxTurns} turns`);
    return next;
  }

  async #inTime<T>(work: Promise<T>, what: string): Promise<T> {
    if (this.#timeout === undefined) return work;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} took more than ${this.#timeout} ms`)), this.#timeout);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}

/** @throws Error for a reward that is not finite */
function checkRewards(rewards: Rewards): Rewards {
  for (const [name, value] of Object.entries(rewards)) {
    if (!Number.isFinite(value)) throw new Error(`the reward ${name} is ${value}`);
  }
  return rewards;
}
