// Agreement with the teacher's own call: the cheapest rival of all, blind to a call's kind and form. No scoring pass; the teacher writes its
// call once a prompt, and half a point each is taken off for another axis and for other names.
import type { OwnPenaltyFunction } from "@iapo/grpo";
import type { Trace } from "@iapo/rollout-trace";

const LAMBDA = 0.5;

export interface ParsedCall {
  readonly axis: string;
  /** In alphabetical order. */
  readonly names: readonly string[];
}

/** From a program's text: the axis of its first tool, and the strings that it names. */
export function parsedCall(text: string): ParsedCall | undefined {
  const axis = /focus_on_(columns|rows)_with/.exec(text)?.[1];
  const list = /\[([^\]]*)\]/.exec(text)?.[1] ?? "";
  return axis === undefined
    ? undefined
    : { axis, names: [...list.matchAll(/["']([^"']+)["']/g)].map((m) => m[1] ?? "").sort() };
}

/** 1 for no call, whatever the teacher wrote: no call is never cheaper than one. */
export function disagreement(own: ParsedCall | undefined, teacher: ParsedCall | undefined): number {
  if (!own) return 1;
  if (!teacher) return 0;
  return (own.axis === teacher.axis ? 0 : 0.5) + (own.names.join("\n") === teacher.names.join("\n") ? 0 : 0.5);
}

const callOf = ({ turns }: Trace): ParsedCall | undefined => parsedCall(turns[0]?.text ?? "");

const penalty: OwnPenaltyFunction = async (groups, _step, { teacher }) => {
  if (!teacher) throw new Error("agreement needs the section teacher");
  const texts = (await teacher.firstTurns(groups.flat())).values();
  return groups.map((traces) =>
    traces.map((trace) => LAMBDA * disagreement(callOf(trace), parsedCall(texts.next().value ?? ""))),
  );
};
export default penalty;
