// Whether a penalty falls on faults: judged within groups, as advantages are (docs/method.md K.2).

import type { ImageRef, Trace } from "@iapo/rollout-trace";

/** A call whose fault is known. */
export interface JudgedCall {
  readonly group: number;
  readonly isFault: boolean;
  /** Its penalty. */
  readonly value: number;
}

/** Calls of the wrong axis beside those of the right one with the right names, as far as the environment judges either. */
export function judgedCalls(
  calls: readonly { readonly trace: Pick<Trace<ImageRef>, "group" | "rewards">; readonly value: number }[],
): JudgedCall[] {
  return calls.flatMap(({ trace: { group, rewards }, value }) => {
    const { tool_misuse: misuse, tool_names: names = 1 } = rewards;
    const isKnown = misuse === 1 || (misuse === 0 && names === 1);
    return isKnown ? [{ group, isFault: misuse === 1, value }] : [];
  });
}

/**
 * The share of pairs of a fault and a right call of one group in which the fault's penalty is larger, equal ones counting half. Undefined
 * where no group has both.
 */
export function faultAuc(calls: readonly JudgedCall[]): number | undefined {
  let [pairs, won] = [0, 0];
  for (const own of Map.groupBy(calls, ({ group }) => group).values()) {
    for (const fault of own.filter(({ isFault }) => isFault)) {
      for (const right of own.filter(({ isFault }) => !isFault)) {
        pairs += 1;
        won += fault.value > right.value ? 1 : fault.value === right.value ? 0.5 : 0;
      }
    }
  }
  return pairs === 0 ? undefined : won / pairs;
}
