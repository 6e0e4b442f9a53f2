// Which metrics are drawn, under which names, in which order; what is not listed comes last, under its own name.
import type { PageData } from "../page/data.ts";
import { bandOf, type Configuration, curveOf } from "../runs/configurations.ts";
import type { NamedRun } from "../runs/loaded-run.ts";
import { pointsOf } from "../runs/run-files.ts";
import type { LineChart, Point, Series } from "../svg/line-chart.ts";

/** A metric that is drawn. */
export interface ListedMetric {
  readonly metric: string;
  readonly title: string;
  readonly logarithmic?: boolean;
  /** A share: the axis goes from 0 to 1. */
  readonly share?: boolean;
}

const share = (metric: string, title: string): ListedMetric => ({ metric, title, share: true });
const plain = (metric: string, title: string): ListedMetric => ({ metric, title });

const sections: readonly { readonly title: string; readonly metrics: readonly ListedMetric[] }[] = [
  {
    title: "Task",
    metrics: [
      plain("reward/outcome", "Outcome reward"),
      share("reward/accuracy", "Accuracy"),
      plain("critic/rewards/mean", "Shaped reward"),
      { metric: "train/loss", title: "Supervised loss", logarithmic: true },
    ],
  },
  {
    title: "Tool calls",
    metrics: [
      share("tool_call_ratio", "Tool-call ratio"),
      share("tool_call_success_rate", "Success of calls"),
      share("reward/tool_misuse", "Misuse: wrong axis"),
      share("reward/tool_names", "Right names"),
      share("reward/tool_changed", "Image changed"),
      share("tool/noop_rate", "Calls that change nothing"),
    ],
  },
  {
    title: "Attribution penalty",
    metrics: [
      plain("iapo/lambda", "Weight of the penalty, λ"),
      plain("critic/penalty/mean", "Penalty"),
      share("critic/penalty_share", "Penalty's share of the spread"),
      plain("iapo/penalty/mean", "Divergence of the explanations that are compared"),
      share("iapo/auc", "Calls of the wrong axis that cost more than right ones (AUC)"),
      share("iapo/no_call_frac", "Responses without a call"),
      share("iapo/kl_clipped_frac", "Divergences at their limit"),
    ],
  },
  {
    title: "Optimization",
    metrics: [
      plain("actor/pg_loss", "Policy loss"),
      plain("actor/ppo_kl", "KL to the rollout policy"),
      plain("actor/kl_loss", "KL to the reference"),
      plain("actor/entropy", "Entropy, nats per token"),
      { metric: "actor/grad_norm", title: "Gradient norm", logarithmic: true },
      plain("actor/lr", "Learning rate"),
      share("homogeneous_group_frac", "Groups of equal rewards"),
    ],
  },
  {
    title: "Lengths",
    metrics: [
      plain("response_length/mean", "Response length, tokens"),
      share("response_length/clip_ratio", "Turns cut at the limit"),
      plain("prompt_length/mean", "Prompt length, tokens"),
      plain("num_turns/mean", "Turns"),
    ],
  },
  {
    title: "GPU memory",
    metrics: [
      plain("memory/peak_gib", "In use at most, GiB"),
      plain("memory/peak_reserved_gib", "Reserved at most, GiB"),
      plain("memory/reserved_gib", "Reserved after a step, GiB"),
    ],
  },
];

/** Names of metrics are taken from files: a page bounds them. */
const [longestName, mostOthers] = [80, 60];

/** The metrics to be drawn of those that runs have, by section; `others` are bounded. A metric and its held-out twin, `val/...`, are one. */
export function listedMetrics(names: ReadonlySet<string>): {
  readonly sections: readonly { readonly title: string; readonly metrics: readonly ListedMetric[] }[];
  readonly others: readonly ListedMetric[];
} {
  const listed = new Set(sections.flatMap(({ metrics }) => metrics.flatMap(({ metric }) => [metric, `val/${metric}`])));
  const rest = new Set([...names].filter((name) => !listed.has(name)).map((name) => name.replace(/^val\//, "")));
  const others = [...rest].filter((name) => !/^alarm\/|\/(?:min|max)$/.test(name) && name.length <= longestName).sort();
  const isThere = ({ metric }: ListedMetric): boolean => names.has(metric) || names.has(`val/${metric}`);
  return {
    sections: sections
      .map(({ title, metrics }) => ({ title, metrics: metrics.filter(isThere) }))
      .filter(({ metrics }) => metrics.length > 0),
    others: others.slice(0, mostOthers).map((name) => plain(name, name)),
  };
}

/** Charts with at least one value. */
export function chartsOf(runs: readonly NamedRun[]): Pick<PageData, "charts" | "otherCharts"> {
  const listed = listedMetrics(
    new Set(runs.flatMap(({ steps }) => steps.flatMap(({ metrics }) => Object.keys(metrics)))),
  );
  const draw = (metrics: readonly ListedMetric[]): LineChart[] =>
    metrics.map((one) => metricChart(one, runs, thin)).filter(({ series }) => series.length > 0);
  return {
    charts: listed.sections
      .map(({ title, metrics }) => ({ title, charts: draw(metrics) }))
      .filter(({ charts }) => charts.length > 0),
    otherCharts: draw(listed.others),
  };
}

/** Each run is a series, and its held-out values another one of the same color. `reduce` may thin the values of training out. */
export function metricChart(
  listed: ListedMetric,
  runs: readonly NamedRun[],
  reduce: (points: readonly Point[]) => readonly Point[] = (points) => points,
): LineChart {
  const { metric } = listed;
  const series = runs.flatMap(({ name, steps }, color): Series[] => [
    { name, color, points: reduce(pointsOf(steps, metric)) },
    { name: `${name}, held out`, color, sparse: true, points: pointsOf(steps, `val/${metric}`) },
  ]);
  return chartOf(
    listed,
    series.filter(({ points }) => points.some(({ y }) => y !== null)),
  );
}

/** Each configuration is a series: the mean over its seeds, with a band of one deviation to either side. */
export function spreadChart(listed: ListedMetric, configurations: readonly Configuration[]): LineChart {
  const series = configurations.flatMap((configuration, color): Series[] => {
    const name =
      configuration.runs.length > 1
        ? `${configuration.name} (${configuration.runs.length} seeds, ±1 sd)`
        : configuration.name;
    const points = (metric: string): Point[] => {
      const band = bandOf(curveOf(configuration, metric));
      return listed.share ? band.map(withinShares) : band;
    };
    return [
      { name, color, points: points(listed.metric) },
      { name: `${name}, held out`, color, sparse: true, points: points(`val/${listed.metric}`) },
    ];
  });
  return chartOf(
    listed,
    series.filter(({ points }) => points.length > 0),
  );
}

function chartOf({ metric, title, logarithmic, share }: ListedMetric, series: readonly Series[]): LineChart {
  const isPositive = series.every(({ points }) => points.every(({ y }) => y === null || y > 0));
  return {
    title,
    xLabel: "step",
    yLabel: metric,
    series,
    logarithmic: logarithmic === true && isPositive,
    ...(share && { include: [0, 1] }),
  };
}

/** The band around a share does not leave 0 to 1. */
function withinShares({ low, high, ...point }: Point): Point {
  if (low === undefined || high === undefined) return point;
  return { ...point, low: Math.max(0, low), high: Math.min(1, high) };
}

const mostPoints = 300;

/** Means over equally many steps each, so that a page of a long run stays small; the band shows the least and the greatest. */
function thin(points: readonly Point[]): Point[] {
  if (points.length <= mostPoints) return [...points];
  const size = Math.ceil(points.length / mostPoints);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const own = points.slice(i * size, (i + 1) * size);
    const values = own.flatMap(({ y }) => y ?? []);
    const x = own[0]?.x ?? 0;
    if (values.length === 0) return { x, y: null };
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { x, y: mean, low: Math.min(...values), high: Math.max(...values) };
  });
}
