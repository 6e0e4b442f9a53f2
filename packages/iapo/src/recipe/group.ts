// The traces of one prompt, and what of each is explained.
import type { Partition } from "@iapo/attribution/math";
import type { Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { partitionOptions } from "../scoring/settings.ts";
import { findCall, firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";

export interface Group {
  readonly traces: readonly Trace[];
  /** Blocks of the prompt. */
  readonly units: Partition;
  /** One for each trace; undefined for those in which nothing is explained. */
  readonly calls: readonly (Call | undefined)[];
}

/** A rollout's groups are never empty: dropped traces stay in them. */
export function groupOf(
  traces: readonly Trace[],
  settings: IapoSettings,
  student: Pick<AttributionModel, "tokenBytes">,
): Group {
  const first = at(traces, 0);
  const units = promptUnits(first.blocks, firstTurn(first), partitionOptions(settings));
  const calls = traces.map((trace) => (isScored(trace) ? callOf(trace, settings, student) : undefined));
  return { traces, units, calls };
}

/** Whether it was not dropped. */
export function isScored({ rewards }: Trace): boolean {
  return rewards.outcome !== undefined;
}

/** What of a trace is explained; undefined where its first turn was read as calling no tool. */
function callOf(
  trace: Trace,
  { target, noCallPenalty }: IapoSettings,
  model: Pick<AttributionModel, "tokenBytes">,
): Call | undefined {
  const turn = firstTurn(trace);
  const called = (trace.toolOutcomes[0]?.status ?? "no_tool") !== "no_tool";
  const call = called ? findCall(turn, target, model) : undefined;
  return call ?? (noCallPenalty === "turn1_attribution" ? findCall(turn, "turn1", model) : undefined);
}
