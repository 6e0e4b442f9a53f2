/** replayStep follows a step's numbers from rewards to loss and names the first that differs. The real losses: grpo's tests. */
import { describe, expect, test } from "vitest";
import { type ReplayFunctions, replayStep, type SampleLog, type Step } from "../src/index.ts";
import { exampleStep } from "./episodes.ts";

const functions: ReplayFunctions = {
  rewards: ({ rewards }) => ({ ...rewards }),
  penalty: (_trace, { student, teacher }) => Math.abs(student![0]! - teacher![0]!),
  advantage: (samples) => samples.map(({ shapedReward, trace }) => trace.turns.map(() => 2 * shapedReward)),
  loss: (update) => update.reduce((sum, { advantages }) => sum + Number(advantages[0]), 0),
};

const change = (step: Step, index: number, fields: Partial<SampleLog>): Step => ({
  ...step,
  log: { ...step.log, samples: step.log.samples.with(index, { ...step.log.samples[index]!, ...fields }) },
});

test("a step that was logged rightly replays", async () => {
  const { step } = await exampleStep();
  expect(await replayStep(step, functions)).toEqual({
    samples: 3,
    updates: 1,
    largestDifference: 0,
    difference: undefined,
  });
});

describe("the first wrong number is named", () => {
  const cases: [string, (step: Step) => Step, object, string][] = [
    [
      "reward",
      (step) => ({ ...step, traces: step.traces.with(1, { ...step.traces[1]!, rewards: { outcome: 0.5, tool: 0 } }) }),
      { what: "shapedReward", group: 0, sample: 1, logged: -0.25, replayed: 0.25 },
      "step 3, group 0, sample 1: shapedReward was logged as -0.25, but replays as 0.25",
    ],
    ["penalty", (step) => change(step, 2, { penalty: 0.26 }), { what: "penalty", group: 1, sample: 0 }, "penalty"],
    [
      "evidence",
      (step) => change(step, 0, { evidence: { student: [0.5, 0.5], teacher: [0.2, 0.8] } }),
      { what: "penalty", group: 0, sample: 0 },
      "0.3",
    ],
    [
      "advantage",
      (step) => change(step, 0, { advantages: [1.5, 1.6] }),
      { what: "advantage", logged: 1.6, replayed: 1.5 },
      "turn 1",
    ],
    [
      "missing advantage",
      (step) => change(step, 0, { advantages: [1.5] }),
      { what: "advantage", logged: undefined, replayed: 1.5 },
      "turn 1",
    ],
    [
      "dropped sample",
      (step) => change(step, 0, { shapedReward: null }),
      { what: "shapedReward", group: 0, sample: 0 },
      "NaN",
    ],
    [
      "loss",
      (step) => ({
        ...step,
        log: {
          ...step.log,
          updates: step.log.updates.map((update) => ({ ...update, loss: (update.loss ?? 0) + 1e-5 })),
        },
      }),
      { what: "loss", update: 0 },
      "update 0",
    ],
    [
      "log-probs",
      (step) => ({
        ...step,
        log: {
          ...step.log,
          updates: step.log.updates.map((update) => ({
            ...update,
            samples: [{ group: 0, sample: 0, logProbs: new Float32Array(9) }],
          })),
        },
      }),
      { what: "logProbs", group: 0, sample: 0, logged: 9, replayed: 3 },
      "number of sampled tokens",
    ],
    [
      "sample",
      (step) => ({ ...step, traces: step.traces.slice(1) }),
      { what: "samples" },
      "group 0, sample 0 is not both",
    ],
  ];

  test.each(cases)("%s", async (_name, alter, place, words) => {
    const { difference } = await replayStep(alter((await exampleStep()).step), functions);
    expect(difference).toMatchObject(place);
    expect(difference?.message).toContain(words);
  });

  test("a reward that is now computed otherwise", async () => {
    const { step } = await exampleStep();
    const { difference } = await replayStep(step, {
      ...functions,
      rewards: ({ rewards }) => ({ ...rewards, tool: 1 }),
    });
    expect(difference).toMatchObject({ what: "reward", group: 0, sample: 1, logged: 0, replayed: 1 });
  });

  test("differences within the tolerance pass and are shown", async () => {
    const { step } = await exampleStep();
    const { difference, largestDifference } = await replayStep(change(step, 0, { penalty: 0.25 + 4e-7 }), functions);
    expect(difference).toBeUndefined();
    expect(largestDifference).toBeCloseTo(4e-7, 12);
  });
});
