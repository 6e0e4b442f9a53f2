// The sentences from rewards to the advantage, against the functions that runs take their advantages from.
import { decoupledAdvantages, groupAdvantages, leaveOneOutAdvantages } from "@iapo/grpo/math";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { expect, test } from "vitest";
import { arithmeticOf, type Scored } from "../src/report/arithmetic.ts";

const outcomes = [1, 0, 0.5, 1];
const divergences = [0.1, 0.4, 0.2, 0.9];
const lambda = 0.5;
const shaped = outcomes.map((outcome, i) => outcome - lambda * divergences[i]!);
const groups = [0, 0, 0, 0];

function groupOf(advantages: ArrayLike<number>): Scored[] {
  return outcomes.map((outcome, sample) => ({
    trace: { sample, rewards: { outcome } } as unknown as Trace<ImageRef>,
    log: {
      ...{ group: 0, sample, penalty: lambda * divergences[sample]!, shapedReward: shaped[sample]! },
      advantages: [advantages[sample]!],
      evidence: { lambda: [lambda], divergence: [divergences[sample]!] },
    },
  }));
}

test.each([
  ["GRPO", groupAdvantages(shaped, groups, { scale: "group", epsilon: 1e-6 }), /\(0\.95 − 0\.425\) \/ 0\.\d+ = /],
  [
    "Dr. GRPO",
    groupAdvantages(shaped, groups, { scale: "none", epsilon: 1e-6 }),
    /0\.95 − 0\.425 \(mean of the group\) = 0\.525/,
  ],
  ["RLOO", leaveOneOutAdvantages(shaped, groups), /0\.95 − 0\.25 \(mean of the others\) = 0\.7/],
  [
    "deviation of outcomes",
    groupAdvantages(shaped, groups, { scale: "group", epsilon: 1e-6, spreadOf: outcomes }),
    /\(0\.95 − 0\.425\) \/ 0\.4787 = /,
  ],
  [
    "decoupled",
    decoupledAdvantages(
      [
        { values: outcomes, weight: 1 },
        { values: divergences, weight: -lambda },
      ],
      groups,
      { epsilon: 1e-6, whiten: false },
    ),
    /\(1 − 0\.625\) \/ 0\.4787 − λ 0\.5 × \(0\.1 − 0\.4\) \/ 0\.3559 = /,
  ],
  ["a rule of one's own", [9, 9, 9, 9], /^advantage: 9, by the run's own rule$/],
])("%s is spelled out", (_, advantages, sentence) => {
  const group = groupOf(advantages);
  const [penalty, reward, advantage] = arithmeticOf(group[0]!, group);
  expect(penalty).toBe("penalty: λ 0.5 × divergence 0.1 = 0.05");
  expect(reward).toBe("shaped reward: outcome 1 − penalty 0.05 = 0.95");
  expect(advantage).toMatch(sentence);
});

test("a group of equal rewards, a sample that was dropped, and turns that differ are said", () => {
  const equal = outcomes.map(
    (_, sample): Scored => ({
      trace: { sample, rewards: { outcome: 1 } } as unknown as Trace<ImageRef>,
      log: { group: 0, sample, penalty: 0, shapedReward: 1, advantages: [0, 0] },
    }),
  );
  expect(arithmeticOf(equal[0]!, equal)).toEqual([
    "shaped reward: outcome 1 = 1",
    "advantage: (1 − 1), all of the group being equal = 0",
  ]);
  const [first] = equal as [Scored];
  const turns = { ...first, log: { ...first.log, advantages: [0, 2] } };
  expect(arithmeticOf(turns, equal).at(-1)).toBe("by turn: 0, 2");
  const dropped = { ...first, log: { ...first.log, shapedReward: null } };
  expect(arithmeticOf(dropped, equal)).toEqual(["It could not be scored, and takes no part in the update."]);
});
