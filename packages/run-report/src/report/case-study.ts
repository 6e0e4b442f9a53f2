// The case study of a run (paper 4.2, Figure 3): misused tools, and what calls rest on, over the steps, with the teacher to compare with.
import { join } from "node:path";
import { problemOf } from "@iapo/rollout-trace";
import { z } from "zod";
import { RunReportError } from "../error.ts";
import { readSmall } from "../runs/run-files.ts";
import type { LineChart, Point } from "../svg/line-chart.ts";

/** What a study says of one model, as far as it is drawn. */
export interface StudiedModel {
  readonly version: 1;
  readonly responses: number;
  readonly calls: number;
  readonly misuse: number;
  readonly rewards: Readonly<Record<string, number>>;
  readonly definitions: readonly {
    readonly method: { readonly method: string };
    readonly rightShare: { readonly mean: number; readonly standardError: number } | null;
    readonly misusedShare: { readonly mean: number; readonly standardError: number } | null;
  }[];
}

/** `case-study.json` of a run. */
export interface CaseStudyCurve {
  readonly student: readonly { readonly step: number; readonly study: StudiedModel }[];
  readonly teacher?: StudiedModel | undefined;
}

const count = z.int().min(0);
const share = z.object({ mean: z.number(), standardError: z.number() }).nullable();
const studied: z.ZodType<StudiedModel> = z.object({
  version: z.literal(1),
  responses: count,
  calls: count,
  misuse: count,
  rewards: z.record(z.string(), z.number()),
  definitions: z.array(z.object({ method: z.object({ method: z.string() }), rightShare: share, misusedShare: share })),
});

const schema: z.ZodType<CaseStudyCurve> = z.object({
  student: z.array(z.object({ step: count, study: studied })).min(1),
  teacher: studied.optional(),
});

export const caseStudyFile = "case-study.json";

/** Undefined where the run has none. @throws RunReportError `invalid` */
export async function readCaseStudy(run: string): Promise<CaseStudyCurve | undefined> {
  const path = join(run, caseStudyFile);
  const text = await readSmall(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const problem = problemOf(cause);
    throw new RunReportError("invalid", `${path} is not a case study: ${problem}`, { cause });
  }
}

/** Misuse; right names and accuracy, which it may be traded for; and for each method what calls rest on, give or take a standard error. */
export function caseStudyCharts({ student, teacher }: CaseStudyCurve, name: string): LineChart[] {
  const methods = [...new Set(student.flatMap(({ study }) => study.definitions.map(({ method }) => method.method)))];
  const responses = student.reduce((most, { study }) => Math.max(most, study.responses), 0);
  const reward = (part: string, label: string) => ({
    name: label,
    points: student.map(({ step, study }) => ({ x: step, y: study.rewards[part] ?? null })),
  });
  return [
    {
      title: `Misused tools, ${name}`,
      xLabel: "step",
      yLabel: `responses of ${responses}`,
      series: [{ name: "student", points: student.map(({ step, study }) => ({ x: step, y: study.misuse })) }],
      references: teacher ? [{ name: "teacher", y: teacher.misuse }] : [],
      include: [0],
    },
    {
      title: "Right names and answers",
      xLabel: "step",
      yLabel: "share of responses",
      series: [reward("tool_names", "right names"), reward("outcome", "outcome reward")],
      include: [0, 1],
    },
    ...methods.map((method) => shareChart(method, { student, teacher })),
  ];
}

function shareChart(method: string, { student, teacher }: CaseStudyCurve): LineChart {
  const of = (study: StudiedModel | undefined) => study?.definitions.find((one) => one.method.method === method);
  const points = (key: "rightShare" | "misusedShare"): Point[] =>
    student.map(({ step, study }) => {
      const found = of(study)?.[key];
      if (!found) return { x: step, y: null };
      const { mean, standardError } = found;
      return { x: step, y: mean, low: mean - standardError, high: mean + standardError };
    });
  const line = of(teacher)?.rightShare;
  return {
    title: `What calls rest on, ${method}`,
    xLabel: "step",
    yLabel: "share of |score|, ±1 standard error",
    series: [
      { name: "definitions of right tools", points: points("rightShare") },
      { name: "of misused tools", points: points("misusedShare") },
    ],
    references: line ? [{ name: "teacher, right tools", y: line.mean }] : [],
    include: [0],
  };
}
