// What the user's own penalty function gives is looked at before it is taken off a reward.
import { GrpoError } from "../error.ts";
import { faultOf, sourceOf } from "./module.ts";
import type { Penalty, PenaltyFunction } from "./shaping.ts";

/**
 * A penalty function whose results are checked; a number alone is a penalty without evidence.
 * @throws GrpoError `module` where the function throws; `shape`, with file, function, group, sample and value, where it gives anything but
 * a finite number, or a {@link Penalty} of finite numbers, for each trace of each group
 */
export function ownPenalty<Content>(own: PenaltyFunction<Content>): PenaltyFunction<Content> {
  const fail = (what: string): GrpoError => new GrpoError("shape", `${sourceOf(own, "penalty")}: ${what}`);
  return async (groups, step) => {
    const given: unknown = await attempt(own, groups, step);
    if (!Array.isArray(given) || given.length !== groups.length)
      throw fail(`it gives ${shown(given)}; give a list of ${groups.length} groups`);
    return groups.map((traces, i) => {
      const row: unknown = given[i];
      const [{ group } = { group: i }] = traces;
      if (!Array.isArray(row) || row.length !== traces.length)
        throw fail(`group ${group} has ${traces.length} samples, but it gives ${shown(row)}`);
      return row.map((value: unknown, sample): Penalty => {
        const penalty = typeof value === "number" ? { penalty: value } : value;
        if (isPenalty(penalty)) return penalty;
        throw fail(
          `at group ${group}, sample ${traces[sample]?.sample} it gives ${shown(value)}; give a finite number`,
        );
      });
    });
  };
}

async function attempt<Content>(own: PenaltyFunction<Content>, ...given: Parameters<PenaltyFunction<Content>>) {
  try {
    return await own(...given);
  } catch (cause) {
    throw faultOf(own, "penalty", cause);
  }
}

function isPenalty(value: unknown): value is Penalty {
  if (typeof value !== "object" || value === null || !("penalty" in value) || !Number.isFinite(value.penalty))
    return false;
  const evidence: unknown = "evidence" in value ? value.evidence : undefined;
  if (evidence === undefined) return true;
  if (typeof evidence !== "object" || evidence === null) return false;
  return Object.values(evidence).every((list) => Array.isArray(list) && list.every(Number.isFinite));
}

const shown = (value: unknown): string =>
  (typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value))).slice(0, 200);
