// How two teachers explain the same calls: calls that are set down on held-out charts, by the settings of the anchored penalty.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/compare-teachers.ts <directory> <directory of another> [charts]
import { type CallKind, type ChartScores, callDivergence, explainCharts } from "@iapo/iapo";
import { iapoPresets } from "@iapo/iapo/config";
import { forcedCalls } from "@iapo/iapo/study";
import { openTeacher } from "@iapo/jobs";
import { openDevice } from "@iapo/tensor-core";
import { nanoWorld } from "./examples.ts";

const [directory, other, count = "128"] = process.argv.slice(2);
if (directory === undefined || other === undefined) {
  console.error("usage: compare-teachers.ts <directory> <directory of another> [charts]");
  process.exit(2);
}

/** One of these is right too, by another effect; the right call itself is what they are held against. */
const kinds = ["other_right", "wrong_axis", "wrong_names"] as const;
const settings = iapoPresets.anchored;
const partitions = ["by_type", "per_tool"] as const;

const { charts, environment } = await nanoWorld(1000);
using device = await openDevice();
const one = await openTeacher(device, { directory }, {});
const another = await openTeacher(device, { directory: other }, {});

/** Written by the first, so that both explain the same ids. */
async function* chartsWithCalls() {
  for (let index = 0; index < Number(count); index++)
    yield forcedCalls(await charts.chart("validation", index), index, environment, one.writer.policy);
}

const [byPartition] = await explainCharts(
  { student: one.model, teacher: another.model },
  chartsWithCalls(),
  {
    methods: [{ method: "occlusion", baseline: "mean_by_kind" }],
    partitions: partitions.map((partition) => ({ partition })),
    normalizers: [settings.normalize],
    comparisons: [{ compare: "teacher_with_best_of_group" }],
    logProb: false,
  },
  { target: settings.target },
);

const result = Object.fromEntries(
  partitions.map((partition, p) => {
    const scored = byPartition?.[p] ?? [];
    return [partition, { blocks: agreementOfBlocks(scored), penalties: agreementOfPenalties(scored) }];
  }),
);
console.log(JSON.stringify({ charts: Number(count), ...result }, null, 2));
for (const teacher of [one, another]) teacher.dispose();

/**
 * Correlation of both teachers' block scores, each call's divided by the sum of their sizes: `overall`, where a block that all calls rest on
 * decides; and of what is above or below each block's mean over the charts.
 */
function agreementOfBlocks(scored: readonly ChartScores[]): Record<string, object> {
  const shares = (scores: Float64Array): number[] => {
    const sum = scores.reduce((all, value) => all + Math.abs(value), 0);
    return [...scores].map((value) => value / sum);
  };
  const aboutMeans = (rows: readonly (readonly number[])[]): number[] => {
    const means = (rows[0] ?? []).map((_, block) => mean(rows.map((row) => row[block] ?? Number.NaN)));
    return rows.flatMap((row) => row.map((value, block) => value - (means[block] ?? 0)));
  };
  return Object.fromEntries(
    (["right", ...kinds] as const).map((kind) => {
      const of = (side: "student" | "teacher") => scored.map((chart) => shares(scoresOf(chart, side, kind)));
      const [first, second] = [of("student"), of("teacher")];
      return [
        kind,
        {
          overall: correlation(first.flat(), second.flat()),
          aboutMeans: correlation(aboutMeans(first), aboutMeans(second)),
        },
      ];
    }),
  );
}

/** Correlation of what both charge for a call beside the right one of its chart; and how often each charges it more than the other right one. */
function agreementOfPenalties(scored: readonly ChartScores[]): Record<string, object> {
  const charged = (side: "student" | "teacher", kind: CallKind): number[] =>
    scored.map((chart) => callDivergence(scoresOf(chart, side, kind), scoresOf(chart, side, "right"), settings));
  const above = (side: "student" | "teacher", kind: CallKind): number => {
    const fair = charged(side, "other_right");
    return charged(side, kind).filter((value, i) => value > (fair[i] ?? 0)).length / scored.length;
  };
  return Object.fromEntries(
    kinds.map((kind) => [
      kind,
      {
        correlation: correlation(charged("student", kind), charged("teacher", kind)),
        means: [mean(charged("student", kind)), mean(charged("teacher", kind))],
        ...(kind !== "other_right" && { aboveOtherRight: [above("student", kind), above("teacher", kind)] }),
      },
    ]),
  );
}

function scoresOf(chart: ChartScores, side: "student" | "teacher", kind: CallKind): Float64Array {
  const scores = chart[side][kind];
  if (!scores) throw new Error(`no scores of the ${kind} call`);
  return scores;
}

/** Pearson's. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const [awayA, awayB] = [a.map((value) => value - meanA), b.map((value) => value - meanB)];
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(awayA, awayB) / Math.sqrt(dot(awayA, awayA) * dot(awayB, awayB));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
