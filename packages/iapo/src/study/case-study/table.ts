// A case study as plain text and as CSV: a line for each model.
import { type Cell, toCsv, toText } from "@iapo/rollout-trace/text";
import type { CaseStudyCurve, StudiedModel } from "@iapo/run-report";

function linesOf({ student, teacher }: CaseStudyCurve): (readonly [model: string, StudiedModel])[] {
  return [
    ...student.map(({ step, study }) => [String(step), study] as const),
    ...(teacher ? [["teacher", teacher] as const] : []),
  ];
}

const counted = ["model", "responses", "calls", "misuse", "right names", "accuracy"];

/** Shares of what calls rest on are those of |score| over all of the prompt. */
export function caseStudyTable(curve: CaseStudyCurve): string {
  const methods = methodsOf(curve);
  const heading = [...counted, ...methods.flatMap((method) => [`${method}: right`, "misused"])];
  const rows = linesOf(curve).map(([model, study]) => [
    ...[model, study.responses, study.calls, study.misuse].map(String),
    ...[study.rewards.tool_names, study.rewards.outcome].map((value) => value?.toFixed(3) ?? "-"),
    ...methods.flatMap((method) => {
      const found = study.definitions.find((one) => one.method.method === method);
      return [found?.rightShare, found?.misusedShare].map((share) => share?.mean.toFixed(4) ?? "-");
    }),
  ]);
  return toText([heading, ...rows]);
}

export function caseStudyCsv(curve: CaseStudyCurve): string {
  const methods = methodsOf(curve);
  const ofMethod = ["right_share", "right_share_se", "misused_share", "misused_share_se"];
  const columns = [
    ...["model", "responses", "calls", "misuse", "right_names", "accuracy"],
    ...methods.flatMap((method) => ofMethod.map((name) => `${method}/${name}`)),
  ];
  const rows = linesOf(curve).map(([model, { responses, calls, misuse, rewards, definitions }]): Cell[] => [
    ...[model, responses, calls, misuse, rewards.tool_names, rewards.outcome],
    ...methods.flatMap((method) => {
      const found = definitions.find((one) => one.method.method === method);
      return [found?.rightShare, found?.misusedShare].flatMap((share) => [share?.mean, share?.standardError]);
    }),
  ]);
  return toCsv(columns, rows);
}

function methodsOf({ student }: CaseStudyCurve): string[] {
  return [...new Set(student.flatMap(({ study }) => study.definitions.map(({ method }) => method.method)))];
}
