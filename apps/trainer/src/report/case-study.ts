// The case study of a run (paper 4.2, Figure 3): misused tools, and what calls rest on, over the steps.
import { join } from "node:path";
import type { LineChart } from "@iapo/viewer";
import { z } from "zod";
import { TrainerError } from "../error.ts";
import { readSmall } from "./run-files.ts";

/** Calls on charts that are divided by columns or by rows alone; misused: a tool of the other axis. */
export interface CaseStudyPoint {
  readonly charts: number;
  readonly calls: number;
  readonly misused: number;
  /** Mean attribution of the definitions of right and of misused tools; null where there is no such call. */
  readonly attribution: { readonly right: number | null; readonly misused: number | null };
}

export interface CaseStudy {
  readonly version: 1;
  readonly student: readonly (CaseStudyPoint & { readonly step: number })[];
  readonly teacher?: CaseStudyPoint | undefined;
}

const count = z.int().min(0);
const point = {
  charts: count,
  calls: count,
  misused: count,
  attribution: z.object({ right: z.number().nullable(), misused: z.number().nullable() }),
};

const caseStudySchema: z.ZodType<CaseStudy> = z.object({
  version: z.literal(1),
  student: z.array(z.object({ step: count, ...point })).min(1),
  teacher: z.object(point).optional(),
});

export const caseStudyFile = "case-study.json";

/** Undefined where the run has none. @throws TrainerError `invalid` */
export async function readCaseStudy(run: string): Promise<CaseStudy | undefined> {
  const path = join(run, caseStudyFile);
  const text = await readSmall(path);
  if (text === undefined) return undefined;
  try {
    return caseStudySchema.parse(JSON.parse(text));
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new TrainerError("invalid", `${path} is not a case study: ${problem}`, { cause });
  }
}

/** Misused calls of the student, and mean attribution of right and misused definitions, with the teacher as a line to compare with. */
export function caseStudyCharts({ student, teacher }: CaseStudy, name: string): LineChart[] {
  const charts = student.reduce((most, point) => Math.max(most, point.charts), 0);
  const attribution = (key: "right" | "misused") => ({
    name: `${key} tools`,
    points: student.map(({ step, attribution }) => ({ x: step, y: attribution[key] })),
  });
  const { right = null } = teacher?.attribution ?? {};
  return [
    {
      title: `Misused tools, ${name}`,
      xLabel: "step",
      yLabel: `calls on ${charts} charts`,
      series: [{ name: "student", points: student.map(({ step, misused }) => ({ x: step, y: misused })) }],
      references: teacher ? [{ name: "teacher", y: teacher.misused }] : [],
      include: [0],
    },
    {
      title: `Attribution of the definition, ${name}`,
      xLabel: "step",
      yLabel: "mean attribution",
      series: [attribution("right"), attribution("misused")],
      references: right === null ? [] : [{ name: "teacher, right tools", y: right }],
    },
  ];
}
