// What a penalty rests on, as bars: vectors of one length belong together, those of the student (or of its call) beside those of the teacher (or of
// the call of reference).
import { partition } from "@iapo/attribution/math";
import type { ImageRef, PromptBlock, SampleLog, Trace } from "@iapo/rollout-trace";
import type { BarChart } from "../svg/bars.ts";

export interface EvidenceParts {
  readonly charts: readonly BarChart[];
  /** Vectors of one number. */
  readonly numbers: readonly (readonly [name: string, value: number])[];
}

/** A longer vector is per token, and no bars. */
const mostBars = 40;

export function evidenceParts({ evidence = {} }: SampleLog, trace: Trace<ImageRef>): EvidenceParts {
  const entries = Object.entries(evidence);
  const vectors = entries.filter(([, values]) => values.length > 1 && values.length <= mostBars);
  const alike = Map.groupBy(vectors, ([name, values]) => `${values.length} ${subject(name)}`);
  const charts = [...alike.values()].map((own): BarChart => {
    const sorted = own.sort(([a], [b]) => rank(a) - rank(b));
    const names = sorted.map(([name]) => name.replaceAll("_", " "));
    const isPair = sorted.length > 1;
    return {
      title: `${names.join(" beside ")}${isPair ? ", each relative to its own Σ|score|" : ""}`,
      labels: unitLabels(trace, sorted[0]?.[1].length ?? 0),
      series: sorted.map(([, values], i) => ({ name: names[i] ?? "", values: isPair ? shares(values) : values })),
    };
  });
  const numbers = entries.flatMap(([name, [value, ...more]]) =>
    value !== undefined && more.length === 0 ? [[name, value] as const] : [],
  );
  return { charts, numbers };
}

/** Two models score on scales of their own. Signs stay. */
function shares(values: readonly number[]): number[] {
  const total = values.reduce((sum, value) => sum + Math.abs(value), 0);
  return values.map((value) => (total > 0 ? value / total : 0));
}

/** `student_mass` and `teacher_mass` are both of `mass`. */
function subject(name: string): string {
  return name.replace(/student|teacher|call|reference/gi, "").replace(/^\W+|_+/g, "");
}

function rank(name: string): number {
  return /student|call/i.test(name) ? 0 : /teacher|reference/i.test(name) ? 1 : 2;
}

/** For each block of the first prompt, the shares of the vectors that belong together, by their names; where vectors are for its units. */
export function blockShares(
  log: SampleLog,
  trace: Trace<ImageRef>,
): readonly (readonly (readonly [name: string, value: number])[])[] {
  const blocks = promptBlocks(trace);
  const [chart] = evidenceParts(log, trace).charts;
  const units = unitKinds
    .map((kind) =>
      partition(
        blocks,
        blocks.map((_, block) => block),
        { kind },
      ),
    )
    .find(({ names }) => names.length === chart?.labels.length);
  if (!chart || !units) return [];
  return Array.from(units.unitOfToken, (unit) =>
    chart.series.flatMap(({ name, values }) => {
      const value = values[unit];
      return value === null || value === undefined ? [] : [[name.replace(/ scores?$/, ""), value] as const];
    }),
  );
}

const unitKinds = ["per_tool", "by_type"] as const;

/** Names of the prompt's units where there are so many under one of the partitions; else numbers from 0. */
function unitLabels(trace: Trace<ImageRef>, count: number): readonly string[] {
  const blocks = promptBlocks(trace);
  const candidates = [...unitKinds.map((kind) => partition(blocks, [], { kind }).names), blocks.map(({ id }) => id)];
  const names = candidates.find(({ length }) => length === count)?.map((name) => name.replace(/^tool:/, ""));
  return names ?? Array.from({ length: count }, (_, i) => String(i));
}

/** The blocks of the first turn's prompt. */
export function promptBlocks({ turns, blocks }: Trace<ImageRef>): readonly PromptBlock<ImageRef>[] {
  const last = turns[0]?.blocks.reduce((most, block) => Math.max(most, block), -1) ?? -1;
  return blocks.slice(0, last + 1);
}
