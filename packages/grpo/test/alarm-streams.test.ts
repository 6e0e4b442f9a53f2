// Each alarm on the metrics of a real run that goes wrong in its way after five good steps; a run that stays good raises none.
import type { Environment } from "@iapo/rollout-trace";
import { type Device, openDevice } from "@iapo/tensor-core";
import { createEnvironment, namesInQuestion, type VisualContent } from "@iapo/vqa-tasks";
import { toolProgram } from "@iapo/vqa-tasks/nano";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type GrpoOptions, type GrpoParts, grpoRecipe, type Metrics } from "../src/index.ts";
import { lossPreset } from "../src/math/index.ts";
import { type AlarmName, noAlarms, watch } from "../src/metrics/alarms.ts";
import { chartTasks, nanoPolicy } from "./support/nano.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Parts = GrpoParts<VisualContent>;

const WINDOW = 5;
const charts = createEnvironment({ options: { prompt: "compact" } });

/** Every first turn is read as this program. */
function calling(program: (content: VisualContent) => string): Environment<VisualContent> {
  return {
    contentSchema: charts.contentSchema,
    prompt: (task) => charts.prompt(task),
    step: (task, turn, earlier) =>
      charts.step(task, earlier.length === 0 ? { text: program(task.content) } : turn, earlier),
  };
}

const otherNames = ({ columns, rows, question }: VisualContent): string[] => {
  const asked = namesInQuestion({ columns, rows, question });
  return [...columns, ...rows].map(({ name }) => name).filter((name) => !asked.includes(name));
};

const good: GrpoOptions = {
  seed: 3,
  groups: 2,
  rollout: { samples: 2, sampling: { temperature: 1 }, maxTokens: 3 },
  advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
  loss: lossPreset("dapo"),
};
/** The right names, always on the axis of columns: wrong for one of the two charts. */
const goodParts: Partial<Parts> = {
  environment: calling((content) => toolProgram("columns", "mask", namesInQuestion(content))),
  reward: ({ sample }) => ({ outcome: sample / 10 }),
  penalty: async (groups) => groups.map((traces) => traces.map((_, i) => ({ penalty: i / 40 }))),
  learner: { learningRate: () => 0 },
};

let device: Device;
let policy: Awaited<ReturnType<typeof nanoPolicy>>;
let tasks: Parts["tasks"];
let healthy: Metrics[];
beforeAll(async () => {
  device = await openDevice();
  policy = await nanoPolicy(device);
  const all = await chartTasks(12);
  const pair = ["columns", "rows"].map((axis) => all.find(({ content }) => content.orientation === axis)!);
  tasks = { length: 2, task: (index) => pair[index]! };
  healthy = await stream(0, 2 * WINDOW, {});
});
afterAll(() => {
  policy.model.dispose();
  device.close();
});

type Change = Partial<GrpoOptions> & { readonly parts?: Partial<Parts> };

async function stream(first: number, end: number, { parts, ...options }: Change): Promise<Metrics[]> {
  const all = { policy, tasks, ...goodParts, ...parts } as GrpoParts;
  const recipe = grpoRecipe(all, { ...good, ...options });
  const metrics: Metrics[] = [];
  for (let step = first; step < end; step++) metrics.push((await recipe.step({ step, cursor: 2 * step })).metrics);
  recipe.dispose();
  return metrics;
}

/** All but `truncated`: an untrained model writes on to the last token that it may. */
function alarmsOf(metrics: readonly Metrics[]): { name: AlarmName; step: number; numbers: object }[] {
  let state = noAlarms;
  const raised = metrics.flatMap((row, step) => {
    const made = watch(state, step, row);
    state = made.state;
    return made.raised;
  });
  expect(raised.filter(({ name }) => name === "truncated").map(({ step }) => step)).toEqual([WINDOW - 1]);
  return raised.filter(({ name }) => name !== "truncated");
}

test("a good run raises none, and gives every metric that is watched", () => {
  expect(alarmsOf(healthy)).toEqual([]);
  const watched = Object.keys(healthy[0]!);
  for (const name of ["critic/penalty_share", "tool/noop_rate", "reward/tool_names", "actor/ppo_kl", "actor/entropy"])
    expect(watched).toContain(name);
  expect(healthy[0]!["reward/tool_misuse"]).toBe(0.5);
});

const faults: [AlarmName, Change][] = [
  ["length_drift", { rollout: { ...good.rollout, maxTokens: 12 } }],
  [
    "reward_dominated",
    { parts: { penalty: async (groups) => groups.map((traces) => traces.map((_, i) => ({ penalty: 9 * i }))) } },
  ],
  ["group_collapse", { parts: { reward: () => ({ outcome: 1 }), penalty: undefined } }],
  ["entropy_collapse", { rollout: { ...good.rollout, sampling: { temperature: 0.01 } } }],
  [
    "noop_calls",
    {
      parts: {
        environment: calling((content) =>
          toolProgram(content.orientation === "columns" ? "rows" : "columns", "mask", namesInQuestion(content)),
        ),
      },
    },
  ],
  [
    "names_traded",
    { parts: { environment: calling((content) => toolProgram(content.orientation!, "mask", otherNames(content))) } },
  ],
];

test.each(faults)("%s", async (name, change) => {
  const raised = alarmsOf([...healthy.slice(0, WINDOW), ...(await stream(WINDOW, 2 * WINDOW, change))]);
  expect(raised.map((alarm) => alarm.name)).toEqual([name]);
  expect(raised[0]!.step).toBeGreaterThanOrEqual(WINDOW);
  expect(Object.values(raised[0]!.numbers).every(Number.isFinite)).toBe(true);
});

test("kl_blow_up", async () => {
  const shared = policy;
  policy = await nanoPolicy(device);
  const change: Change = { update: { epochs: 4 }, parts: { learner: { learningRate: () => 0.1 } } };
  const raised = alarmsOf([...healthy.slice(0, WINDOW), ...(await stream(WINDOW, WINDOW + 2, change))]);
  expect(raised.map(({ name }) => name)).toContain("kl_blow_up");
  policy.model.dispose();
  policy = shared;
});
