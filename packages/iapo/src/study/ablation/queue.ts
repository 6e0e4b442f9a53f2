// Items one after the other: what is done is skipped, a failure does not stop the rest, an interrupt leaves what was begun to go on later.
import type { QueueState } from "./state.ts";

export type Outcome =
  | { readonly state: "done" }
  | { readonly state: "stopped" }
  | { readonly state: "failed"; readonly reason: string };

export interface QueueItem {
  readonly id: string;
  /** Names all that decides the result. */
  readonly key: string;
  /** The item that has to be done before. */
  readonly needs?: string | undefined;
  /** Why it cannot be run. */
  readonly unavailable?: string | undefined;
  /** `stopped` where the signal has ended it. */
  run(signal: AbortSignal): Promise<Outcome>;
}

/** False where the signal stopped it. Items that failed in an earlier process come last. */
export async function runQueue(
  items: readonly QueueItem[],
  state: QueueState,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<boolean> {
  const before = Map.groupBy(items, ({ id }) => (state.get(id)?.state === "failed" ? "failed" : "fresh"));
  const order = [...(before.get("fresh") ?? []), ...(before.get("failed") ?? [])];
  for (const [place, item] of order.entries()) {
    const { id, key } = item;
    if (state.isDone(id, key)) continue;
    if (signal.aborted) return false;
    const known = state.get(id);
    const seconds = known?.key === key ? known.seconds : 0;
    const reason = item.unavailable ?? whyNot(item, items, state);
    if (reason !== undefined) {
      note(`[${place + 1}/${order.length}] ${id}: unavailable: ${reason}`);
      await state.set(id, { state: "unavailable", key, reason, seconds });
      continue;
    }
    note(`[${place + 1}/${order.length}] ${id}`);
    await state.set(id, { state: "begun", key, seconds });
    const began = performance.now();
    const outcome = await item.run(signal);
    const spent = { key, seconds: seconds + (performance.now() - began) / 1000 };
    if (outcome.state === "stopped") {
      await state.set(id, { state: "begun", ...spent });
      return false;
    }
    if (outcome.state === "failed") note(`${id} failed: ${outcome.reason}`);
    await state.set(id, { ...outcome, ...spent });
  }
  return true;
}

function whyNot({ needs }: QueueItem, items: readonly QueueItem[], state: QueueState): string | undefined {
  const needed = needs === undefined ? undefined : items.find(({ id }) => id === needs);
  if (!needed || state.isDone(needed.id, needed.key)) return undefined;
  return `it needs ${needed.id}, which is not done`;
}
