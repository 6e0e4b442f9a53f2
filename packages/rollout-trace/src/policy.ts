// What a rollout asks of a model: turns, sampled or given. A model fits these structurally.
import type { Turn, TurnInput, TurnRequest } from "./turn.ts";

/** Responses to some prompts, turn after turn. */
export interface Session {
  /** The next turn of every response: what was put in and what was written. `blocks` count from the first block of the turn's own input. */
  generate(request: TurnRequest): Promise<Turn[]>;
  /**
   * What the next turn of each response starts from, as a user message behind the turn before; undefined ends a response, which then takes
   * no part any more. A fresh prompt is opened, not appended.
   * @returns those whose next turn cannot be made of its input: they are ended too
   */
  append(next: readonly (TurnInput | undefined)[], options?: Interruptible): Promise<readonly RefusedInput[]>;
  close(): void;
}

/** Work that may be given up: the reason of the signal is thrown then. */
export type Interruptible = { readonly signal?: AbortSignal | undefined };

/** An input that a policy cannot encode. */
export interface RefusedInput {
  /** Its place among the responses. */
  readonly response: number;
  readonly reason: Error;
}

export interface Policy {
  /** Counts the updates so far; a trace holds the version that wrote it. */
  readonly version: number;
  /** Tokens of a prompt, pictures included, without computing anything; for limits that are checked before a run. */
  countTokens?(prompt: TurnInput): number;
  /** Begins responses to prompts. The caller closes the session. */
  open(prompts: readonly TurnInput[], options?: Interruptible): Promise<Session>;
}

/** Makes turns without sampling. `before` is the turn that one goes on from; none for a prompt of its own. */
export interface Scribe {
  /** As if the policy had written this text. */
  transcribe(input: TurnInput, text: string, before?: Turn): Turn;
  /** In which the policy wrote these ids. */
  render(input: TurnInput, ids: Int32Array, before?: Turn): Turn;
}
