// nano-charts: any number of small bar charts with a question, from real names and real numeric columns, each a pure
// function of (seed, split, index). Task family of the paper's case study (method.md G.4, nano.md).
import { identifyImage } from "@iapo/rollout-trace";
import type { Orientation } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import { RandomStream } from "../random.ts";
import { type BarChart, nameFits, renderBarChart } from "../render/bar-chart.ts";
import { loadRasterizer, type Rasterizer } from "../render/rasterizer.ts";
import { barChartStyles } from "../render/styles.ts";
import type { VisualTask } from "../task.ts";
import { aliasesOf, canNameTools } from "./aliases.ts";
import { defaultNanoChartOptions, type NanoChartOptions } from "./options.ts";
import { askAbout, type Bar, type NanoQuestion } from "./questions.ts";
import { type NanoSplit, type NanoTables, nanoSplits, readSourceTables, splitOf, splitTables } from "./tables.ts";

export interface NanoChart {
  readonly task: VisualTask;
  readonly question: NanoQuestion;
  /** Names and values as drawn, in chart order; values are whole numbers in 0..100. */
  readonly bars: readonly Bar[];
  /** Table and column the values were taken from; they are scaled, and shuffled against the names. */
  readonly table: string;
  readonly column: string;
}

export interface NanoCharts {
  readonly options: NanoChartOptions;
  /** Every name that charts of a split can show. The three lists have no name in common. */
  readonly names: Readonly<Record<NanoSplit, readonly string[]>>;
  /** Chart `index` (0 or more) of a split. */
  chart(split: NanoSplit, index: number): Promise<NanoChart>;
}

const MOST_TRIES = 1000;
/** Nothing is drawn shorter than this, and no chart is flatter than that; both in units of the axis (0..100). */
const LEAST_VALUE = 8;
const LEAST_SPREAD = 25;

/** @throws VqaTasksError `invalid_config` where options contradict each other or a split has too few names that fit */
export async function createNanoCharts(options: Partial<NanoChartOptions> = {}): Promise<NanoCharts> {
  const all = checkOptions({ ...defaultNanoChartOptions, ...options });
  const tables = tablesOf(all);
  const rasterize = await loadRasterizer();
  const names = Object.fromEntries(
    nanoSplits.map((split) => [split, [...new Set(tables[split].nameLists.flat())]]),
  ) as Record<NanoSplit, string[]>;
  for (const split of nanoSplits) {
    const problem = tooFewNames(names[split], all);
    if (problem !== undefined)
      throw new VqaTasksError("invalid_config", `nano-charts, names of the ${split} split: ${problem}`);
  }
  return {
    options: all,
    names,
    chart: (split, index) =>
      makeChart({ options: all, tables: tables[split], names: names[split], split, index, rasterize }),
  };
}

function tooFewNames(names: readonly string[], { bars: [, most], tools }: NanoChartOptions): string | undefined {
  if (names.length < most)
    return `only ${names.length} fit, but up to ${most} bars are asked for; give more or shorter names`;
  const forTools = names.filter(canNameTools).length;
  if (tools === "in_context" && forTools < most + 6)
    return `only ${forTools} are identifiers, of which ${most + 6} are needed for ${most} bars and six tools; give more`;
  return undefined;
}

function checkOptions(options: NanoChartOptions): NanoChartOptions {
  const [fewest, most] = options.bars;
  const { wrongAxis, noCall, malformed } = options.quality;
  const problems = [
    [Number.isInteger(options.size) && options.size >= 112, "size must be a whole number, 112 or more"],
    [
      Number.isInteger(fewest) && Number.isInteger(most) && 3 <= fewest && fewest <= most && most <= 6,
      "bars must be [fewest, most] within 3 to 6",
    ],
    [options.questions.length > 0, "questions must name at least one kind"],
    [options.style.effects.length > 0, "style.effects must name at least one effect"],
    [
      options.style.program !== "defined" || options.tools === "in_context",
      "style.program can be defined only where tools is in_context: fixed tools have no definitions to say",
    ],
    [
      Math.min(wrongAxis, noCall, malformed) >= 0 && wrongAxis + noCall + malformed <= 1,
      "the shares of quality must be 0 or more and sum to at most 1",
    ],
  ] as const;
  const problem = problems.find(([holds]) => !holds)?.[1];
  if (problem !== undefined) throw new VqaTasksError("invalid_config", `nano-charts: ${problem}`);
  return options;
}

/** Tables of each split with the names that may be drawn: the caller's pool, or the packaged names. */
function tablesOf({ names, size }: NanoChartOptions): Record<NanoSplit, NanoTables> {
  const fits = (name: string): boolean => nameFits(name, size, fontSizeOf(size));
  if (names === undefined || names === "words" || typeof names === "function") {
    const accept = names === "words" ? isWord : (names ?? (() => true));
    return splitTables(readSourceTables(), (name) => fits(name) && accept(name));
  }
  const pool = [...new Set(names)].filter(
    (name) => /^[^"'\\`\p{Cc}]+$/u.test(name) && name.trim() === name && fits(name),
  );
  const packaged = splitTables(readSourceTables(), () => true);
  const ofSplit = (split: NanoSplit): NanoTables => ({
    nameLists: [pool.filter((name) => splitOf(name) === split)],
    columns: packaged[split].columns,
  });
  return { train: ofSplit("train"), validation: ofSplit("validation"), test: ofSplit("test") };
}

function isWord(name: string): boolean {
  return /^\p{Lu}\p{L}+$/u.test(name);
}

interface Request {
  readonly options: NanoChartOptions;
  readonly tables: NanoTables;
  readonly names: readonly string[];
  readonly split: NanoSplit;
  readonly index: number;
  readonly rasterize: Rasterizer;
}

async function makeChart({ options, tables, names, split, index, rasterize }: Request): Promise<NanoChart> {
  const random = new RandomStream(options.seed, `nano-charts/${split}`, index);
  const orientation: Orientation = random.pick(["columns", "rows"]);
  const kind = random.pick(options.questions);
  const yes = random.uniform() < 0.5;
  const style = random.pick(barChartStyles);
  const count = random.integer(...options.bars);
  const labels = pickNames(tables.nameLists, names, count, random);
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const column = random.pick(tables.columns);
    const values = pickValues(column.values, count, random);
    const bars = values?.map((value, place): Bar => ({ name: labels[place] ?? "", value }));
    const question = bars === undefined ? undefined : askAbout(bars, kind, yes, random);
    if (bars === undefined || question === undefined) continue;
    const { size } = options;
    const axis = { maximum: 100, step: 10, labelStep: 50 };
    const chart: BarChart = { orientation, bars, axis, width: size, height: size, fontSize: fontSizeOf(size), style };
    const { image, columns, rows } = renderBarChart(chart, rasterize);
    const task: VisualTask = {
      id: `nano-${options.seed}-${split}-${index}`,
      source: "nano_charts",
      split,
      content: {
        image: await identifyImage(image),
        question: question.text,
        answers: [question.answer],
        columns,
        rows,
        orientation,
        ...(options.tools === "in_context" && { aliases: aliasesOf({ ...options, split, index }, names, labels) }),
      },
    };
    return { task, question, bars, table: column.table, column: column.name };
  }
  throw new VqaTasksError(
    "invalid_config",
    `nano-charts: no column of the ${split} split gives a readable chart with ${count} bars`,
  );
}

/** Names of one column of one table, filled up from the whole split where that column has too few. */
function pickNames(
  lists: readonly (readonly string[])[],
  all: readonly string[],
  count: number,
  random: RandomStream,
): string[] {
  const chosen = random.sample(random.pick(lists), count);
  const rest = random.sample(all, all.length).filter((name) => !chosen.includes(name));
  return [...chosen, ...rest].slice(0, count);
}

/** Values of a real column in random order, scaled to a random maximum of 70 to 100 and rounded; undefined where too flat or too small. */
function pickValues(column: readonly number[], count: number, random: RandomStream): number[] | undefined {
  const sample = random.sample(column, count);
  const scale = random.integer(70, 100) / Math.max(...sample);
  const values = sample.map((value) => Math.round(value * scale));
  const least = Math.min(...values);
  const spread = Math.max(...values) - least;
  return values.length === count && least >= LEAST_VALUE && spread >= LEAST_SPREAD ? values : undefined;
}

function fontSizeOf(size: number): number {
  return Math.round((9 * size) / 112);
}
