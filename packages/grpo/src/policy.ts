// What this package asks of a model: sampling turn by turn, and log-probs of traces on the tape. A model fits these structurally.
import type { Trace, Turn } from "@iapo/rollout-trace";
import type { LogProbs, Seed, Tensor } from "@iapo/tensor-core";
import type { TurnInput } from "./environment.ts";

export type { LogProbs };

/** How tokens are drawn. */
export interface Sampling {
  /** Divides the logits; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Truncation makes a rollout slightly off-policy: log-probs count the whole distribution. */
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
}

export interface TurnRequest {
  /** Responses per prompt; the first call of a session decides. */
  readonly samples: number;
  readonly sampling: Sampling;
  /** One per response, prompt by prompt: a response is a function of its prompt and its seed. */
  readonly seeds: readonly Seed[];
  readonly maxTokens: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each turn as soon as it ends, while others go on. */
  readonly onTurn?: ((response: number, turn: Turn) => void) | undefined;
}

/** Responses to some prompts, turn after turn. */
export interface Session {
  /** The next turn of every response: what was put in and what was written. `blocks` count from the first block of the turn's own input. */
  generate(request: TurnRequest): Promise<Turn[]>;
  /** What the next turn of each response starts from; undefined ends a response, which then takes no part any more. */
  append(next: readonly (TurnInput | undefined)[]): Promise<void>;
  close(): void;
}

export interface Policy {
  /** Counts the updates so far; a trace holds the version that wrote it. */
  readonly version: number;
  open(prompts: readonly TurnInput[]): Promise<Session>;
}

/** Traces laid out for one forward pass. Dispose it after the backward pass. */
export interface ScorableTraces {
  /**
   * Log-prob and entropy of every sampled token, trace by trace, turn by turn, under the turn's temperature and banned ids; on the tape if
   * there is one.
   */
  logProbs(): LogProbs;
  dispose(): void;
}

/** What was put in and written, turn by turn: a trace, or an example to learn from. */
export type Written = Pick<Trace, "turns">;

/** Gives log-probs of traces: the policy in training, a reference, a teacher. */
export interface Scorer {
  /** Groups of traces that share their first prompt. */
  pack(groups: readonly (readonly Written[])[]): ScorableTraces;
}

/** What an optimizer updates. */
export interface Parameter {
  readonly name: string;
  /** What forward passes read: differentiated by, and rewritten after each step where it is not the master itself. */
  readonly run: Tensor;
  /** f32 */
  readonly master: Tensor;
}

export interface TrainablePolicy extends Policy, Scorer {
  version: number;
  readonly parameters: readonly Parameter[];
  /** Rewrites what forward passes read from masters that were set from outside. */
  refresh(): void;
  /** The policy as it is now, frozen. */
  reference(): Scorer & { dispose(): void };
}

/** Makes turns without sampling. `before` is the turn that one goes on from; none for a prompt of its own. */
export interface Scribe {
  /** As if the policy had written this text. */
  transcribe(input: TurnInput, text: string, before?: Turn): Turn;
  /** In which the policy wrote these ids. */
  render(input: TurnInput, ids: Int32Array, before?: Turn): Turn;
}
