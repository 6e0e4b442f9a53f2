// What the user's own penalty function gives is looked at before it is taken off a reward.
import { GrpoError } from "../error.ts";
import { recordingScorers } from "../scorers/recorded.ts";
import type { Scorers } from "../scorers/types.ts";
import { faultOf, sourceOf } from "./module.ts";
import type { OwnPenaltyFunction, Penalty, PenaltyFunction } from "./shaping.ts";

/**
 * A penalty function whose results are checked. What its scorers answered is evidence beside its own.
 * @throws GrpoError `argument` without scorers; `module` where the function throws; `shape`, with file, function, group, sample and value, where it gives anything but
 * a finite number, or a {@link Penalty} of finite numbers, for each trace of each group
 */
export function ownPenalty<Content>(own: OwnPenaltyFunction<Content>): PenaltyFunction<Content> {
  const fail = (what: string): GrpoError => new GrpoError("shape", `${sourceOf(own, "penalty")}: ${what}`);
  return async (groups, step, given) => {
    if (!given) throw new GrpoError("argument", `${sourceOf(own, "penalty")} needs scorers to be called with`);
    const { scorers, evidenceOf } = recordingScorers(given);
    const penalties: unknown = await attempt(own, groups, step, scorers);
    if (!Array.isArray(penalties) || penalties.length !== groups.length)
      throw fail(`it gives ${shown(penalties)}; give a list of ${groups.length} groups`);
    return groups.map((traces, i) => {
      const row: unknown = penalties[i];
      const [{ group } = { group: i }] = traces;
      if (!Array.isArray(row) || row.length !== traces.length)
        throw fail(`group ${group} has ${traces.length} samples, but it gives ${shown(row)}`);
      return traces.map((trace, place): Penalty => {
        const value: unknown = row[place];
        const penalty = typeof value === "number" ? { penalty: value } : value;
        if (!isPenalty(penalty))
          throw fail(`at group ${group}, sample ${trace.sample} it gives ${shown(value)}; give a finite number`);
        const evidence = { ...evidenceOf(trace), ...penalty.evidence };
        return Object.keys(evidence).length > 0 ? { ...penalty, evidence } : penalty;
      });
    });
  };
}

async function attempt<Content>(
  own: OwnPenaltyFunction<Content>,
  groups: Parameters<OwnPenaltyFunction<Content>>[0],
  step: number,
  scorers: Scorers,
): Promise<unknown> {
  try {
    return await own(groups, step, scorers);
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
