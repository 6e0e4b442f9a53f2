// The rivals' formulas, on numbers written down here; that they train and replay, examples.test.ts tells.
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdvantageFunction } from "@iapo/grpo";
import { checkJob, openJob } from "@iapo/jobs";
import { expect, onTestFinished, test } from "vitest";
import { disagreement, parsedCall } from "../rivals/agreement.ts";
import credit from "../rivals/credit-transfer.ts";
import deepEyes from "../rivals/deep-eyes.ts";
import { advantage as opsd } from "../rivals/opsd.ts";
import pixelReasoner, { bonus } from "../rivals/pixel-reasoner.ts";
import { dependency, advantage as vppo, weightsOf } from "../rivals/vppo.ts";
import { root } from "./blocks.ts";

type Sample = Parameters<AdvantageFunction>[0][number];

interface Given {
  readonly reward: number;
  readonly status?: string;
  readonly keys?: readonly string[];
  readonly evidence?: Record<string, number[]>;
  readonly logProbs?: readonly (readonly number[])[];
}

function sampleOf({ reward, status = "ok", keys = ["a"], evidence, logProbs = [[-1, -1], [-1]] }: Given): Sample {
  const trace = {
    group: 0,
    turns: logProbs.map((own) => ({ logProbs: Float32Array.from(own), text: "" })),
    toolOutcomes: [{ status, tools: ["focus_on_rows_with_mask"], keys, unknownKeys: [], changed: true }],
    rewards: { outcome: reward },
  };
  return { trace, rewards: { outcome: reward }, penalty: 0, shapedReward: reward, evidence } as unknown as Sample;
}

function tokensOf(turns: ReturnType<AdvantageFunction>[number] | undefined, turn: number): readonly number[] {
  const own = turns?.[turn];
  return typeof own === "object" ? own : expect.fail("one advantage for the whole turn");
}

test("agreement: axis and names half a point each; no call costs most, and nothing where the teacher writes none", () => {
  const call = parsedCall('display(focus_on_rows_with_mask(image_1, ["b", "a"], rows_bbox))');
  expect(call).toEqual({ axis: "rows", names: ["a", "b"] });
  expect(parsedCall("FINAL ANSWER: 3")).toBeUndefined();
  expect(disagreement(call, call)).toBe(0);
  expect(disagreement(call, parsedCall('focus_on_columns_with_draw(image_1, ["a", "b"], columns_bbox)'))).toBe(0.5);
  expect(disagreement(call, parsedCall('focus_on_columns_with_draw(image_1, ["a"], columns_bbox)'))).toBe(1);
  expect(disagreement(call, undefined)).toBe(0);
  expect(disagreement(undefined, undefined)).toBe(1);
});

test("DeepEyes: the bonus is for a right answer behind a picture", async () => {
  const rewardOf = async (given: Given) => deepEyes(sampleOf(given).trace as unknown as Parameters<typeof deepEyes>[0]);
  expect(await rewardOf({ reward: 1 })).toEqual({ outcome: 2 });
  expect(await rewardOf({ reward: 1, status: "no_tool" })).toEqual({ outcome: 0.8 });
  expect(await rewardOf({ reward: 0 })).toEqual({ outcome: 0 });
  expect(await rewardOf({ reward: 0, status: "parse_error" })).toEqual({ outcome: -0.2 });
});

test("Pixel Reasoner: calling pays while few of the group do, a failed call takes the answer's reward", () => {
  expect(bonus(1, 0.1)).toBeCloseTo(0.25);
  expect(bonus(1, 0.5)).toBe(0);
  expect(bonus(3, 0.5)).toBeCloseTo(-0.1);
  expect(bonus(0, 0.1)).toBe(0);
  const [failed, right] = pixelReasoner([sampleOf({ reward: 1, status: "tool_error" }), sampleOf({ reward: 1 })]);
  expect(failed).toEqual([-Math.SQRT1_2, -Math.SQRT1_2].map((value) => expect.closeTo(value, 5)));
  expect(right).toEqual([Math.SQRT1_2, Math.SQRT1_2].map((value) => expect.closeTo(value, 5)));
});

test("VPPO: dependencies are estimates of a KL, weights have a mean of 1, a fifth of the tokens is trained", () => {
  expect(dependency(-1, -1)).toBe(0);
  expect(dependency(-3, -1)).toBeCloseTo(Math.exp(-2) + 1);
  expect(dependency(50, -50)).toBe(10);
  const weights = weightsOf([0.1, 0.4, 0.2]);
  expect(weights.reduce((sum, value) => sum + value, 0) / 3).toBeCloseTo(1);
  expect(Math.min(...weights)).toBeCloseTo(0.8);
  expect(weightsOf([0.2, 0.2])).toEqual([1, 1]);
  const logProbs = [
    [-1, -1, -1],
    [-1, -1],
  ];
  const [good, bad] = vppo([
    sampleOf({ reward: 1, logProbs, evidence: { policy_log_probs: [-1, -4, -1, -1, -1] } }),
    sampleOf({ reward: 0, logProbs, evidence: { policy_log_probs: [-1, -1, -1, -1, -2] } }),
  ]);
  expect(good).toEqual([
    [0, expect.any(Number), 0],
    [0, 0],
  ]);
  expect(bad).toEqual([
    [0, 0, 0],
    [0, expect.any(Number)],
  ]);
  expect(tokensOf(good, 0)[1]).toBeCloseTo(Math.SQRT1_2 * 1.2, 5);
  expect(tokensOf(bad, 1)[1]).toBeCloseTo(-Math.SQRT1_2 * 0.8, 5);
});

test("OPSD: tokens of the first turn that the informed policy finds likelier gain", () => {
  const [first] = opsd([
    sampleOf({ reward: 1, evidence: { policy_log_probs: [-0.5, -40] } }),
    sampleOf({ reward: 1, evidence: { policy_log_probs: [-1, -1] } }),
  ]);
  expect(first).toEqual([[0.25, -2.5], 0]);
});

test("credit transfer: a failing response is not blamed for a call that has succeeded elsewhere", () => {
  const [, same, other] = credit([
    sampleOf({ reward: 1 }),
    sampleOf({ reward: 0 }),
    sampleOf({ reward: 0, keys: ["b"] }),
  ]);
  expect(same?.[0]).toBe(0);
  expect(same?.[1]).toBeLessThan(0);
  expect(other?.[0]).toBeLessThan(0);
});

test.each(globSync("examples/rivals/*.yaml", { cwd: root }).sort())("%s is tried without a device", async (file) => {
  const { tasks } = await checkJob(openJob(join(root, file)));
  expect(tasks).toBeGreaterThan(0);
});

test("a check calls penalty and advantage with scorers, on a response with a call and on one without", async () => {
  const folder = mkdtempSync(join(tmpdir(), "iapo-rivals-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  let tried = 0;
  const check = (source: string) => {
    const module = join(folder, `penalty-${tried++}.mjs`); // a module is loaded once
    writeFileSync(module, source);
    const set = [`grpo.functions.penalty=${module}`, `grpo.functions.advantage=${module}#advantage`];
    return checkJob(openJob("nano-opd-token", { set: [...set, "distillation=", "teacher.directory=nano-teacher"] }));
  };
  const penalty = (given: string): string => `
    export default async (groups, step, { policy, teacher }) => {
      const traces = groups.flat();
      const changed = await policy.logProbs(traces.map((trace) => ({ trace, prompt: [{ id: "more", kind: "context", text: "More.\\n" }, ...trace.blocks.slice(0, 3)] })));
      const texts = await teacher.firstTurns(traces);
      const calls = traces.map(({ toolOutcomes }) => toolOutcomes.some(({ status }) => status === "ok"));
      if (!calls.includes(true) || !calls.includes(false)) throw new Error("one has a call");
      if (texts.length !== 2 || changed.some((own, i) => own.length !== traces[i].turns[0].logProbs.length)) throw new Error("lengths");
      return groups.map((own) => own.map(() => 0));
    };
    export const advantage = (samples) => samples.map(({ trace, evidence }) => trace.turns.map(({ logProbs }, turn) => ${given}));
  `;
  await check(penalty("(turn === 0 ? [...evidence.policy_log_probs] : 0)"));
  await expect(check(penalty("[...logProbs, 1]"))).rejects.toThrow(/turn 0 has \d+ sampled tokens, but \d+ advantages/);
  await expect(check(penalty("[...logProbs].fill(NaN)"))).rejects.toThrow(/has the advantage NaN at token 0/);
});
