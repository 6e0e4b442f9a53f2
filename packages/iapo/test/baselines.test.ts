// ToRL and TRM: rewards and advantages computed by hand, the rule verifier's truth table, and a replay of each.
import { advantageFunction, replayFunctions } from "@iapo/grpo";
import { lossPreset } from "@iapo/grpo/math";
import { type ImageRef, type ReplayedSample, replayStep, type Step, type Trace } from "@iapo/rollout-trace";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { baselineOptionsSchema, torlOptionsSchema, trmOptionsSchema } from "../src/baselines/config.ts";
import {
  createBaseline,
  IapoError,
  recordedVerifier,
  ruleVerifier,
  torlReward,
  trmReward,
  turnLevelAdvantages,
} from "../src/index.ts";
import { type MadeUp, madeUpTrace } from "./support/traces.ts";

const published = advantageFunction({ kind: "grpo", scale: "group", epsilon: 0 });
const allParts = { tool_call: 1, tool_success: 1, tool_misuse: 0, tool_names: 1, tool_changed: 1 };

function sampleOf(options: MadeUp, rewards: Trace["rewards"]): ReplayedSample {
  return {
    trace: madeUpTrace({ ...options, rewards }),
    rewards,
    penalty: 0,
    shapedReward: rewards.outcome ?? Number.NaN,
  };
}

describe("ToRL", () => {
  const torl = torlOptionsSchema.parse({ kind: "torl" });
  test.each([
    ["ok", 1, 1],
    ["ok", 0, 0],
    ["tool_error", 1, 0.5],
    ["parse_error", 0, -0.5],
    ["unsupported", 1, 0.5],
    ["no_tool", 1, 1],
    ["no_tool", 0, 0],
  ] as const)("%s with outcome %d is worth %d", (status, outcome, expected) => {
    const reward = torlReward(torl)(madeUpTrace({ status, rewards: { outcome } }));
    expect(reward).toEqual({ outcome: expected, accuracy: outcome, torl_charge: outcome - expected });
  });

  test("as its own code has it: outcomes of -1 and 1, and no program is charged too", () => {
    const reward = torlReward({ ...torl, outcome: "pm1", penalizeNoCall: true });
    expect(reward(madeUpTrace({ status: "ok", rewards: { outcome: 0 } })).outcome).toBe(-1);
    expect(reward(madeUpTrace({ status: "no_tool", rewards: { outcome: 1 } })).outcome).toBe(0.5);
    expect(reward(madeUpTrace({ status: "tool_error", rewards: { outcome: 0 } })).outcome).toBe(-1.5);
  });

  test("advantages by hand: rewards 1, 0.5, 0, -0.5 have mean 0.25 and deviation sqrt(5/12)", () => {
    const cells = [
      ["ok", 1],
      ["tool_error", 1],
      ["no_tool", 0],
      ["parse_error", 0],
    ] as const;
    const reward = torlReward(torl);
    const samples = cells.map(([status, outcome], sample) =>
      sampleOf({ status, sample }, reward(madeUpTrace({ status, rewards: { outcome } }))),
    );
    const deviation = Math.sqrt(5 / 12);
    const expected = [0.75, 0.25, -0.25, -0.75].map((distance) => distance / deviation);
    for (const [i, turns] of published(samples).entries()) {
      expect(turns).toHaveLength(i === 2 ? 1 : 2);
      for (const advantage of turns) expect(advantage).toBeCloseTo(expected[i]!, 12);
    }
  });

  test("a trace that holds its result gives the same result", () => {
    const reward = torlReward({ ...torl, outcome: "pm1" });
    const trace = madeUpTrace({ status: "tool_error", rewards: { outcome: 1 } });
    const once = reward(trace);
    expect(reward({ ...trace, rewards: { ...trace.rewards, ...once } })).toEqual(once);
  });
});

describe("TRM", () => {
  test("the rule verifier says 1 for one of all sixteen cases", () => {
    const good: string[] = [];
    for (let bits = 0; bits < 16; bits++) {
      const [tool_misuse, tool_names, tool_success, tool_changed] = [0, 1, 2, 3].map((bit) => (bits >> bit) & 1);
      const rewards = { outcome: 0, tool_misuse, tool_names, tool_success, tool_changed } as Trace["rewards"];
      if (ruleVerifier(madeUpTrace({ rewards })) === 1) good.push(JSON.stringify(rewards));
    }
    expect(good).toEqual(['{"outcome":0,"tool_misuse":0,"tool_names":1,"tool_success":1,"tool_changed":1}']);
  });

  test("an environment without the parts is an error that names them", () => {
    const trace = madeUpTrace({ rewards: { outcome: 1, other: 2 } });
    expect(() => ruleVerifier(trace)).toThrow(IapoError);
    expect(() => ruleVerifier(trace)).toThrow(/tool_misuse.*outcome, other/);
  });

  test("rewards by mode; without a call, and in a failed episode, there is no verdict", async () => {
    const call = madeUpTrace({ rewards: { outcome: 1, ...allParts } });
    const at = { mode: "trajectory", alpha: 0.1 } as const;
    expect(await trmReward(at, ruleVerifier)(call)).toEqual({ outcome: 1.1, accuracy: 1, tool_verdict: 1 });
    const turnLevel = trmReward({ ...at, mode: "turn_level" }, ruleVerifier);
    expect(await turnLevel(call)).toEqual({ outcome: 1, accuracy: 1, tool_verdict: 1 });
    const none = madeUpTrace({ status: "no_tool", rewards: { outcome: 1, ...allParts } });
    expect(await turnLevel(none)).toEqual({ outcome: 1, accuracy: 1 });
    expect(await turnLevel(madeUpTrace({ rewards: { outcome: 0 } }))).toEqual({ outcome: 0, accuracy: 0 });
  });

  test("turn-level advantages by hand", () => {
    // Group 0: outcomes 1 0 0 1, deviation sqrt(1/3); verdicts 1 0 - 1 of the three calls: mean 2/3, deviation sqrt(1/3).
    const samples = [
      sampleOf({ sample: 0 }, { outcome: 1, tool_verdict: 1 }),
      sampleOf({ sample: 1 }, { outcome: 0, tool_verdict: 0 }),
      sampleOf({ sample: 2, status: "no_tool" }, { outcome: 0 }),
      sampleOf({ sample: 3 }, { outcome: 1, tool_verdict: 1 }),
      // Group 1: outcomes are equal, so the verdicts alone speak: 1 0, deviation sqrt(1/2).
      sampleOf({ group: 1, sample: 0 }, { outcome: 1, tool_verdict: 1 }),
      sampleOf({ group: 1, sample: 1 }, { outcome: 1, tool_verdict: 0 }),
      // A sample that was dropped counts nowhere.
      sampleOf({ group: 1, sample: 2 }, {}),
    ];
    const got = turnLevelAdvantages(published, { alpha: 0.1, epsilon: 0 })(samples);
    const root3 = Math.sqrt(3);
    const half = Math.SQRT1_2;
    const expected = [
      [root3 / 2 + (0.1 * root3) / 3, root3 / 2],
      [-root3 / 2 - (0.1 * 2 * root3) / 3, -root3 / 2],
      [-root3 / 2],
      [root3 / 2 + (0.1 * root3) / 3, root3 / 2],
      [0.1 * half, 0],
      [-0.1 * half, 0],
      [0, 0],
    ];
    expect(got.map((turns) => turns.length)).toEqual(expected.map((turns) => turns.length));
    for (const [i, advantage] of got.flat().entries()) expect(advantage).toBeCloseTo(expected.flat()[i]!, 12);
  });

  test("later turns keep the outcome's advantage; verdicts among the calls of a group sum to 0", () => {
    const one = fc.record({ outcome: fc.constantFrom(0, 1), verdict: fc.constantFrom(0, 1, undefined) });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 12 }), (cells) => {
        const samples = cells.map(({ outcome, verdict }, sample) =>
          sampleOf({ sample, turns: 2 }, { outcome, ...(verdict !== undefined && { tool_verdict: verdict }) }),
        );
        const base = published(samples);
        const got = turnLevelAdvantages(published, { alpha: 0.3, epsilon: 1e-6 })(samples);
        const added = got.map((turns, i) => turns[0]! - base[i]![0]!);
        expect(got.map((turns) => turns[1])).toEqual(base.map((turns) => turns[1]));
        expect(added.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9);
        for (const [i, { verdict }] of cells.entries()) if (verdict === undefined) expect(added[i]).toBe(0);
      }),
    );
  });
});

describe("a step of each replays without a GPU", () => {
  const options = {
    loss: { ...lossPreset("dapo") },
    advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
  } as const;
  const cells: MadeUp[] = [
    { status: "ok", rewards: { outcome: 1, ...allParts } },
    { status: "ok", rewards: { outcome: 0, ...allParts, tool_misuse: 1, tool_changed: 0 } },
    { status: "tool_error", rewards: { outcome: 1, ...allParts, tool_success: 0, tool_changed: 0 } },
    { status: "no_tool", rewards: { outcome: 0, ...allParts, tool_call: 0 } },
  ];

  test.each([
    { kind: "torl" },
    { kind: "torl", outcome: "pm1", penalizeNoCall: true },
    { kind: "trm" },
    { kind: "trm", mode: "trajectory" },
    { kind: "trm", verifier: "llm" },
  ])("%j", async (config) => {
    const settings = baselineOptionsSchema.parse(config);
    const advantage = advantageFunction(options.advantage);
    const run = createBaseline(settings, { advantage, verify: ({ sample }) => (sample === 1 ? 1 : 0) });
    const traces = await Promise.all(
      cells.map(async (cell, sample) => {
        const trace = madeUpTrace({ ...cell, sample });
        return { ...trace, rewards: { ...trace.rewards, ...(await run.reward(trace)) } };
      }),
    );
    const samples = traces.map((trace) => {
      const { outcome } = trace.rewards as { outcome: number };
      return { trace, rewards: trace.rewards, penalty: 0, shapedReward: outcome };
    });
    const advantages = run.advantage(samples);
    const step: Step<ImageRef> = {
      step: 0,
      traces,
      log: {
        samples: samples.map(({ trace: { group, sample }, shapedReward }, i) => {
          return { group, sample, penalty: 0, shapedReward, advantages: advantages[i]! };
        }),
        updates: [],
        metrics: {},
      },
    };
    const again = createBaseline(settings, { advantage, verify: recordedVerifier });
    const rewards = async (trace: Trace<ImageRef>) => ({ ...trace.rewards, ...(await again.reward(trace)) });
    const functions = replayFunctions(options, { rewards, advantage: again.advantage });
    const report = await replayStep(step, functions, 0);
    expect(report.difference).toBeUndefined();
    expect(report.samples).toBe(4);
    // Another weight is found out.
    const other = createBaseline(
      { ...settings, ...(settings.kind === "trm" ? { alpha: 0.2 } : { penalty: 0.4 }) },
      {
        advantage,
        verify: recordedVerifier,
      },
    );
    const wrong = replayFunctions(options, {
      rewards: async (trace) => ({ ...trace.rewards, ...(await other.reward(trace)) }),
      advantage: other.advantage,
    });
    expect((await replayStep(step, wrong)).difference).toBeDefined();
  });

  test("an LLM verifier that is not connected is an error", () => {
    const settings = trmOptionsSchema.parse({ kind: "trm", verifier: "llm" });
    expect(() => createBaseline(settings, { advantage: published })).toThrow(IapoError);
  });
});

test("schemas: defaults, and unknown keys are refused", () => {
  expect(baselineOptionsSchema.parse({ kind: "torl" })).toEqual({
    kind: "torl",
    outcome: "01",
    penalty: 0.5,
    penalizeNoCall: false,
  });
  expect(baselineOptionsSchema.parse({ kind: "trm" })).toEqual({
    kind: "trm",
    mode: "turn_level",
    alpha: 0.1,
    epsilon: 1e-6,
    verifier: "rule",
  });
  for (const bad of [{ kind: "trm", penalty: 1 }, { kind: "torl", alpha: 1 }, { kind: "grpo" }, {}]) {
    expect(baselineOptionsSchema.safeParse(bad).success).toBe(false);
  }
});
