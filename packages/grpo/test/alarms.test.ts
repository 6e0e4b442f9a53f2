// Each alarm is raised once, when its sign begins to show, and not by a steady run.
import { expect, test } from "vitest";
import { type AlarmState, noAlarms, watch } from "../src/metrics/alarms.ts";

type Row = Record<string, number>;

const steady: Row = {
  "response_length/mean": 40,
  "critic/penalty_share": 0.3,
  homogeneous_group_frac: 0.2,
  "actor/entropy": 1,
  "tool/noop_rate": 0.1,
  "reward/tool_names": 0.8,
  "reward/tool_misuse": 0.4,
  "actor/ppo_kl": 0.01,
  "actor/kl_loss": 0.01,
  "actor/skipped_steps": 0,
  "response_length/clip_ratio": 0.4,
};

/** Ten steady steps, then ten of `later`; the alarms by step. */
function alarmsOf(later: Row): [string, number][] {
  let state: AlarmState = noAlarms;
  const raised: [string, number][] = [];
  for (let step = 0; step < 20; step++) {
    const made = watch(JSON.parse(JSON.stringify(state)), step, step < 10 ? steady : { ...steady, ...later });
    state = made.state;
    raised.push(...made.raised.map((alarm): [string, number] => [alarm.name, alarm.step]));
  }
  return raised;
}

test("a steady run raises none", () => expect(alarmsOf({})).toEqual([]));

test.each([
  ["length_drift", { "response_length/mean": 100 }],
  ["length_drift", { "response_length/mean": 10 }],
  ["reward_dominated", { "critic/penalty_share": 0.99 }],
  ["group_collapse", { homogeneous_group_frac: 1 }],
  ["entropy_collapse", { "actor/entropy": 0.05 }],
  ["noop_calls", { "tool/noop_rate": 0.5 }],
  ["names_traded", { "reward/tool_names": 0.5, "reward/tool_misuse": 0.2 }],
  ["kl_blow_up", { "actor/ppo_kl": 2 }],
  ["kl_blow_up", { "actor/kl_loss": 8 }],
  ["truncated", { "response_length/clip_ratio": 0.9 }],
  ["non_finite", { "actor/skipped_steps": 1 }],
])("%s", (name, later) => {
  const raised = alarmsOf(later);
  expect(raised.map(([found]) => found)).toEqual([name]);
  expect(raised[0]![1]).toBeGreaterThanOrEqual(10);
  expect(raised[0]![1]).toBeLessThan(15);
});

test("a step that was skipped raises an alarm at once", () => {
  const { raised } = watch(noAlarms, 0, { ...steady, "actor/skipped_steps": 2 });
  expect(raised.map(({ name, numbers }) => [name, numbers["actor/skipped_steps"]])).toEqual([["non_finite", 2]]);
});

test("names that fall while misuse stays raise nothing, nor does a metric that is not there", () => {
  expect(alarmsOf({ "reward/tool_names": 0.5 })).toEqual([]);
  expect(alarmsOf({ "actor/kl_loss": Number.NaN })).toEqual([]);
});
