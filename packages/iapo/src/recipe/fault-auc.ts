// Whether a penalty falls on faults: judged within groups, as advantages are (docs/method.md K.2).

/** A call whose fault is known. */
export interface JudgedCall {
  readonly group: number;
  readonly isFault: boolean;
  /** Its penalty. */
  readonly value: number;
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
