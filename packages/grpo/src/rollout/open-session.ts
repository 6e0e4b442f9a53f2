// A session of the prompts that the policy can encode; each of the others is a failure of its own episodes.
import type { Policy, Session, TurnInput } from "@iapo/rollout-trace";
import { TensorError } from "@iapo/tensor-core";
import type { Episode } from "./episode.ts";

/** A prompt, and the episodes that begin from it. */
export interface Asked {
  readonly input: TurnInput;
  readonly episodes: readonly Episode[];
}

export interface OpenedSession {
  /** Undefined where no prompt is left. */
  readonly session: Session | undefined;
  readonly opened: readonly Asked[];
}

/**
 * An error of all prompts together does not say whose it is: then each is opened by itself, and those that can be are opened together.
 * @throws what the device throws, the reason of the signal, and an error that no prompt has by itself
 */
export async function openSession(
  policy: Policy,
  prompts: readonly Asked[],
  signal: AbortSignal | undefined,
): Promise<OpenedSession> {
  if (prompts.length === 0) return { session: undefined, opened: [] };
  try {
    return {
      session: await policy.open(
        prompts.map(({ input }) => input),
        { signal },
      ),
      opened: prompts,
    };
  } catch (error) {
    if (error instanceof TensorError || signal?.aborted) throw error;
    const opened: Asked[] = [];
    for (const asked of prompts) if (await canOpen(policy, asked, signal)) opened.push(asked);
    if (opened.length === prompts.length) throw error;
    return openSession(policy, opened, signal);
  }
}

async function canOpen(policy: Policy, { input, episodes }: Asked, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    (await policy.open([input], { signal })).close();
    return true;
  } catch (error) {
    if (error instanceof TensorError || signal?.aborted) throw error;
    for (const episode of episodes) episode.fail(error);
    return false;
  }
}
