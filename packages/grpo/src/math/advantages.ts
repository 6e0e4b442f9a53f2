// Advantages of the responses of a step, in f64. R responses; `groups[r]` names the prompt that response r answers.
// A reward that is NaN marks a response that could not be scored: it is left out of every mean and gets advantage 0.
import { GrpoError } from "../error.ts";
import { at, checkLength, type Numbers } from "./batch.ts";
import { type Tolerance, toleratedPenalties } from "./tolerance.ts";

/** `group`: divide by the standard deviation of the group. `batch`: by that of all rewards. `none`: do not divide (Dr. GRPO). */
export type AdvantageScale = "group" | "batch" | "none";

export interface GroupAdvantageOptions {
  readonly scale: AdvantageScale;
  /** Added to the standard deviation: 1e-6 in verl, 1e-4 in TRL. */
  readonly epsilon: number;
  /**
   * [R] values whose standard deviation divides, in place of that of the rewards; where it is 0, nothing divides. With the
   * outcome rewards here, a penalty keeps its weight (`outcome_std`, docs/method.md F10).
   */
  readonly spreadOf?: Numbers | undefined;
  /** A standard deviation counts as at least this; default 0. */
  readonly leastDeviation?: number | undefined;
}

/**
 * GRPO: `A_i = (r_i - mean_g) / (std_g + epsilon)`, the standard deviation with one degree of freedom taken off (ddof 1), as
 * verl and TRL publish it (docs/method.md D.1). A group whose rewards are all equal, or that has one response, gets 0.
 * @throws GrpoError `shape`
 */
export function groupAdvantages(rewards: Numbers, groups: Numbers, options: GroupAdvantageOptions): Float64Array {
  const spreadOf = options.spreadOf ?? rewards;
  checkLength("spreadOf", spreadOf, rewards.length);
  const members = membersOf(rewards, groups);
  const batchDeviation = options.scale === "batch" ? deviation([...members.values()].flat(), spreadOf) : 0;
  const advantages = new Float64Array(rewards.length);
  for (const rows of members.values()) {
    if (isHomogeneous(rows, rewards)) continue;
    const spread = options.scale === "group" ? deviation(rows, spreadOf) : batchDeviation;
    const divisor =
      options.scale === "none" || spread === 0 ? 1 : Math.max(spread, options.leastDeviation ?? 0) + options.epsilon;
    const mean = meanOf(rows, rewards);
    for (const row of rows) advantages[row] = (at(rewards, row) - mean) / divisor;
  }
  return advantages;
}

/** RLOO: `A_i = r_i - mean of the others' rewards` (Ahmadian et al. 2024; docs/method.md D.3). A group of one gets 0. */
export function leaveOneOutAdvantages(rewards: Numbers, groups: Numbers): Float64Array {
  const advantages = new Float64Array(rewards.length);
  for (const rows of membersOf(rewards, groups).values()) {
    if (isHomogeneous(rows, rewards)) continue;
    const mean = meanOf(rows, rewards);
    for (const row of rows) advantages[row] = ((at(rewards, row) - mean) * rows.length) / (rows.length - 1);
  }
  return advantages;
}

/** One part of a reward, such as the outcome or a penalty, and its weight in the sum. */
export interface RewardPart {
  readonly values: Numbers;
  readonly weight: number;
  /** Which differences within a group count; default all. */
  readonly tolerance?: Tolerance | undefined;
}

export interface DecoupledOptions {
  readonly epsilon: number;
  /** Whether the sum is normalized once more over the whole batch, as GDPO and TRL's `normalize_then_sum` do. */
  readonly whiten: boolean;
}

/**
 * Each part normalized within its group, then summed: `A_i = sum_k w_k (r_ik - mean_g) / (std_g + epsilon)`, so that a weight
 * counts in every group, also where one part is constant (docs/method.md 0.3, D.3; F10 `decoupled`).
 * @throws GrpoError `shape`; `argument` without parts
 */
export function decoupledAdvantages(
  parts: readonly RewardPart[],
  groups: Numbers,
  options: DecoupledOptions,
): Float64Array {
  const first = parts[0];
  if (first === undefined) throw new GrpoError("argument", "decoupled advantages need at least one part of a reward");
  const rows = first.values.length;
  const sums = new Float64Array(rows);
  for (const { values, weight, tolerance } of parts) {
    checkLength("a part of the reward", values, rows);
    const normalized = groupAdvantages(tolerance ? counted(values, groups, tolerance) : values, groups, {
      scale: "group",
      epsilon: options.epsilon,
      leastDeviation: tolerance?.kind === "floor" ? tolerance.deviation : 0,
    });
    for (let row = 0; row < rows; row++) sums[row] = at(sums, row) + weight * at(normalized, row);
  }
  if (!options.whiten) return sums;
  const scored = Array.from(sums.keys()).filter((row) => parts.every(({ values }) => !Number.isNaN(values[row])));
  const mean = meanOf(scored, sums);
  const divisor = deviation(scored, sums) + options.epsilon;
  const whitened = new Float64Array(rows);
  for (const row of scored) whitened[row] = (at(sums, row) - mean) / divisor;
  return whitened;
}

/** Values as a tolerance has them, group by group. */
function counted(values: Numbers, groups: Numbers, tolerance: Tolerance): Float64Array {
  const all = Float64Array.from(values);
  for (const rows of membersOf(values, groups).values()) {
    const own = toleratedPenalties(
      rows.map((row) => at(values, row)),
      tolerance,
    );
    rows.forEach((row, i) => {
      all[row] = at(own, i);
    });
  }
  return all;
}

export interface GroupCount {
  readonly groups: number;
  /** Groups whose scored rewards are all equal: their GRPO advantage is 0. */
  readonly homogeneous: number;
}

/** How many groups give no signal; the metric `homogeneous_group_frac` is their share. */
export function countGroups(rewards: Numbers, groups: Numbers): GroupCount {
  const members = [...membersOf(rewards, groups).values()];
  return { groups: members.length, homogeneous: members.filter((rows) => isHomogeneous(rows, rewards)).length };
}

/**
 * [R] 1 for each response of a group that dynamic sampling keeps: one whose values differ (DAPO: `0 < #correct < G`). Pass
 * outcome rewards or total rewards: filtered by outcome, groups go in which a penalty is the only signal.
 */
export function informativeGroups(values: Numbers, groups: Numbers): Uint8Array {
  const kept = new Uint8Array(values.length);
  for (const rows of membersOf(values, groups).values()) {
    if (!isHomogeneous(rows, values)) for (const row of rows) kept[row] = 1;
  }
  return kept;
}

/** Scored responses by group, in order. */
function membersOf(rewards: Numbers, groups: Numbers): Map<number, number[]> {
  checkLength("groups", groups, rewards.length);
  const byGroup = new Map<number, number[]>();
  for (let row = 0; row < rewards.length; row++) {
    const scored = Number.isNaN(rewards[row]) ? [] : [row];
    const members = byGroup.get(at(groups, row));
    if (members === undefined) byGroup.set(at(groups, row), scored);
    else members.push(...scored);
  }
  return byGroup;
}

function isHomogeneous([first, ...others]: readonly number[], values: Numbers): boolean {
  return first === undefined || others.every((row) => values[row] === values[first]);
}

function meanOf(rows: readonly number[], values: Numbers): number {
  return rows.reduce((sum, row) => sum + at(values, row), 0) / rows.length;
}

/** Standard deviation with ddof 1; 0 for equal values, exactly. */
function deviation(rows: readonly number[], values: Numbers): number {
  if (isHomogeneous(rows, values)) return 0;
  const mean = meanOf(rows, values);
  return Math.sqrt(rows.reduce((sum, row) => sum + (at(values, row) - mean) ** 2, 0) / (rows.length - 1));
}
