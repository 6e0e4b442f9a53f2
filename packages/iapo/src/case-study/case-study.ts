// The case study of the IAPO paper (4.2, Figure 3; docs/method.md G.4): how often a policy takes a tool of the wrong axis on held-out charts,
// and how much its calls rest on the definitions of right and of misused tools. For a student every few steps; for its teacher, which is the
// reference line, once.
import { type RolloutOptions, rollout, type TaskSource } from "@iapo/grpo";
import type { Environment, Image, Policy, Trace } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import type { Orientation } from "@iapo/visual-tools";
import type { VisualContent, VisualTask } from "@iapo/vqa-tasks";
import type { MethodSettings } from "../config/types.ts";
import { methodLabel } from "../diagnose/grid.ts";
import type { AttributionModel } from "../scoring/model.ts";
import type { CallTarget } from "../scoring/span.ts";
import { type DefinitionScores, definitionScores, orientationOf, otherAxis } from "./definitions.ts";

/** Version of the result as JSON. */
export const caseStudyVersion = 1;

export interface CaseStudyParts {
  readonly policy: Policy;
  /** The same weights as the policy's. */
  readonly model: AttributionModel;
  readonly environment: Environment<VisualContent>;
  /** Charts, each with its orientation. */
  readonly tasks: TaskSource<VisualTask>;
}

/** Plain data. */
export interface CaseStudyOptions {
  readonly seed: number;
  /** The first so many charts of the source; 256 in the paper. */
  readonly charts: number;
  /** Sampled at T = 1 as in training: greedy, a student that knows the axis but is not sure of it shows no misuse. */
  readonly rollout: RolloutOptions;
  readonly target: CallTarget;
  readonly methods: readonly MethodSettings[];
  /** Names of the tools of each axis. */
  readonly tools: Readonly<Record<Orientation, readonly string[]>>;
}

/** Plain data: `JSON.stringify` writes it whole. */
export interface CaseStudy {
  readonly version: typeof caseStudyVersion;
  /** Responses; with one sample, as many as charts. */
  readonly responses: number;
  /** Responses that wrote a program. */
  readonly calls: number;
  /** Responses that called a tool of the wrong axis. */
  readonly misuse: number;
  /** Mean of each reward part: misuse says little without answers and names beside it. */
  readonly rewards: Readonly<Record<string, number>>;
  readonly definitions: readonly DefinitionScores[];
}

/**
 * A function of policy, tasks and options: the same seed gives the same charts and samples at every step.
 * @throws IapoError `argument` for a task without orientation, or a prompt without tools of an axis; what rollout and attribution throw
 */
export async function caseStudy(parts: CaseStudyParts, options: CaseStudyOptions): Promise<CaseStudy> {
  const { policy, environment, tasks, model } = parts;
  const count = Math.min(options.charts, tasks.length);
  const charts = await Promise.all(Array.from({ length: count }, (_, i) => tasks.task(i)));
  for (const chart of charts) orientationOf(chart);
  const place = { step: 0, seed: (...at: number[]) => deriveSeed(options.seed, "case_study", ...at) };
  const { groups } = await rollout(policy, environment, charts, options.rollout, place);
  const definitions: DefinitionScores[] = [];
  for (const method of options.methods) definitions.push(await definitionScores(model, groups, method, options));
  const traces = groups.flat();
  return {
    version: caseStudyVersion,
    responses: traces.length,
    calls: traces.filter(({ toolOutcomes }) => toolOutcomes.some(({ status }) => status !== "no_tool")).length,
    misuse: traces.filter((trace) => isMisuse(trace, options.tools)).length,
    rewards: meanRewards(traces),
    definitions,
  };
}

/** The numbers of a study by name, for a run's metrics: `case_study/misuse`, `case_study/ig_dot_32_steps/right`, ... */
export function caseStudyMetrics({
  responses,
  calls,
  misuse,
  rewards,
  definitions,
}: CaseStudy): Record<string, number> {
  const named: [string, number | undefined][] = [
    ["responses", responses],
    ["calls", calls],
    ["misuse", misuse],
    ...Object.entries(rewards).map(([part, value]): [string, number] => [`reward/${part}`, value]),
    ...definitions.flatMap(({ method, right, misused, rightShare, misusedShare }): [string, number | undefined][] => {
      const label = methodLabel(method).replace(/\W+/g, "_");
      return [
        [`${label}/right`, right?.mean],
        [`${label}/misused`, misused?.mean],
        [`${label}/right_share`, rightShare?.mean],
        [`${label}/misused_share`, misusedShare?.mean],
      ];
    }),
  ];
  return Object.fromEntries(
    named.flatMap(([name, value]) => (value === undefined ? [] : [[`case_study/${name}`, value]])),
  );
}

function isMisuse({ task, toolOutcomes }: Trace<Image, VisualContent>, tools: CaseStudyOptions["tools"]): boolean {
  const wrong = tools[otherAxis(orientationOf(task))];
  return toolOutcomes.some((outcome) => outcome.tools.some((name) => wrong.includes(name)));
}

function meanRewards(traces: readonly Trace[]): Record<string, number> {
  const parts = Map.groupBy(
    traces.flatMap(({ rewards }) => Object.entries(rewards)),
    ([part]) => part,
  );
  return Object.fromEntries(
    [...parts].map(([part, values]) => [part, values.reduce((sum, [, value]) => sum + value, 0) / values.length]),
  );
}
