// Distillation by sequence: what costs what, that no call is never the cheapest, and which tokens a teacher is asked about.
import type { ScoreRequest, Scorers } from "@iapo/grpo";
import type { ImageRef, ReplayedSample, Trace } from "@iapo/rollout-trace";
import { randomWords } from "@iapo/tensor-core";
import { describe, expect, test } from "vitest";
import { distillationSchema, type SequenceDistillation } from "../src/config.ts";
import { sequenceMetrics } from "../src/distillation/metrics.ts";
import { sequenceAdvantage, sequenceCost, sequencePenalty } from "../src/distillation/sequence.ts";

const parsed = (given: object) => distillationSchema.parse({ kind: "sequence", ...given }) as SequenceDistillation;

test("no call costs as much as the cap unless it is said to cost more; less is refused", () => {
  expect(parsed({})).toMatchObject({ cap: 50, noCall: 50, tolerance: { kind: "none" }, lambda: 0.5 });
  expect(parsed({ cap: 5, noCall: 7 }).noCall).toBe(7);
  expect(() => parsed({ noCall: 49 })).toThrow(/no call would be the cheapest/);
  expect(parsed(parsed({ cap: 9 }))).toEqual(parsed({ cap: 9 })); // what a run records can be read again
});

const bytes = new TextEncoder();
const CALL = 'I look.\n```python\ndisplay(focus_on_rows_with_mask(image_1, ["a"], rows_bbox))\n```\n';

/** A token for each byte of the text, behind a prompt of two. */
function traceOf(sample: number, text: string, rewards: Record<string, number>, called = text.includes("```")): Trace {
  const written = bytes.encode(text);
  const sampled = Uint8Array.from([0, 0, ...written.map(() => 1)]);
  const turn = {
    ...({ temperature: 1, bannedIds: [], images: [], freshPrompt: true } as const),
    tokens: Int32Array.from([0, 0, ...written]),
    blocks: Int16Array.from(sampled, (one) => (one === 1 ? -1 : 0)),
    lossMask: sampled,
    logProbs: new Float32Array(written.length),
    text,
  };
  const tool = { status: called ? "ok" : "no_tool", tools: [], keys: [], unknownKeys: [], changed: called };
  return {
    ...({ version: 2, step: 3, group: 0, sample, policyVersion: 0 } as const),
    task: { id: "a", source: "", split: "", content: {} },
    blocks: [{ id: "query", kind: "query", text: "q" }],
    turns: called ? [turn, turn] : [turn],
    toolOutcomes: [tool as unknown as Trace["toolOutcomes"][number]],
    rewards,
  };
}

const student = { tokenBytes: (id: number) => Uint8Array.of(id) };

test("the teacher is asked about first turns alone, and the program's tokens count; a dropped sample costs nothing", async () => {
  const settings = parsed({ lambdaSchedule: { kind: "constant" } });
  const asked: ScoreRequest[] = [];
  const scorer = {
    async logProbs(requests: readonly ScoreRequest[]) {
      asked.push(...requests);
      return requests.map(({ trace }) => new Float32Array(trace.turns[0]?.logProbs.length ?? 0).fill(-0.25));
    },
    firstTurns: () => expect.fail("nothing is to be written"),
  };
  const scorers: Scorers = { policy: scorer, teacher: scorer };
  const traces = [
    traceOf(0, CALL, { outcome: 1 }),
    traceOf(1, "FINAL ANSWER: 3\n", { outcome: 1 }),
    traceOf(2, CALL, {}),
  ];
  const [made] = await sequencePenalty(settings, student)([traces], 3, scorers);
  const program = CALL.indexOf("\n```\n") - CALL.indexOf("display"); // with the newline before it, without that behind it
  expect(asked.map(({ trace }) => trace.turns.length)).toEqual([1]);
  const [cost] = made?.[0]?.evidence?.divergence ?? [];
  expect(cost).toBeGreaterThanOrEqual(0.25 * program);
  expect(cost).toBeLessThanOrEqual(0.25 * (program + 2));
  expect(made?.[0]).toMatchObject({
    penalty: 0.5 * (cost ?? 0),
    evidence: { lambda: [0.5], call_log_prob: [-(cost ?? 0)] },
  });
  expect(made?.[1]).toEqual({ penalty: 0.5 * 50, evidence: { lambda: [0.5], divergence: [50] } });
  expect(made?.[2]).toEqual({ penalty: 0 });
  await expect(sequencePenalty(settings, student)([traces], 3)).rejects.toMatchObject({ code: "teacher" });
});

const tolerances = [
  { kind: "none" },
  { kind: "gate", above: 7 },
  { kind: "gap", atLeast: 3 },
  { kind: "floor", deviation: 5, most: 20 },
] as const;

describe.each(tolerances)("no call is never the cheapest: tolerance $kind", (tolerance) => {
  test("with equal outcomes its advantage is never above that of a call, however unlikely all calls are", () => {
    const words = randomWords(6000, [5, 7]);
    for (let round = 0; round < 300; round++) {
      const random = (i: number): number => (words[20 * round + i] ?? 0) / 2 ** 32;
      const cap = 1 + 60 * random(0);
      const settings = parsed({ cap, noCall: cap * (1 + random(1)), tolerance });
      const scale = [1, 30, 300][round % 3] ?? 1; // calls that the teacher knows, and such that all pass the cap
      const evidence = Array.from({ length: 8 }, (_, i) => {
        const ofCall = i % 4 === 3 ? {} : { call_log_prob: [-scale * random(2 + i)] as const };
        return { lambda: [0.5], divergence: [sequenceCost(ofCall, settings)], ...ofCall } as const;
      });
      const samples = evidence.map((own, sample): ReplayedSample => {
        const penalty = 0.5 * own.divergence[0];
        const trace = traceOf(sample, "", { outcome: 1 }) as Trace<ImageRef>;
        return { trace, rewards: { outcome: 1 }, penalty, shapedReward: 1 - penalty, evidence: own };
      });
      const advantages = sequenceAdvantage(settings, 1e-6)(samples).map(([first]) => first ?? Number.NaN);
      const ofCalls = advantages.filter((_, i) => i % 4 !== 3);
      for (const i of [3, 7]) expect(advantages[i]).toBeLessThanOrEqual(Math.min(...ofCalls) + 1e-12);
    }
  });
});

test("metrics of a step: what is at the cap, who calls, and whether faults cost more", () => {
  const settings = parsed({ cap: 10 });
  const costs = [2, 4, 30, undefined];
  const misuse = [0, 1, 1, 0];
  const samples = costs.map((cost, sample) => {
    const ofCall = cost === undefined ? {} : { call_log_prob: [-cost] };
    const own = { lambda: [0.5], divergence: [Math.min(10, cost ?? 10)], ...ofCall };
    return { group: 0, sample, penalty: 0, shapedReward: 0, advantages: [0], evidence: own };
  });
  const traces = misuse.map((tool_misuse, sample) => traceOf(sample, CALL, { outcome: 1, tool_misuse }));
  expect(sequenceMetrics({ traces, log: { samples } }, settings)).toEqual({
    "distillation/lambda": 0.5,
    "distillation/penalty/mean": 26 / 4,
    "distillation/penalty/max": 10,
    "distillation/no_call_frac": 0.25,
    "distillation/capped_frac": 1 / 3,
    "distillation/auc": 1,
  });
  expect(sequenceMetrics({ traces: [], log: { samples: [] } }, settings)).toEqual({});
});
