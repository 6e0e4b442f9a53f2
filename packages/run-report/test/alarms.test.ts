// Every alarm that grpo can raise has its meaning on the page: a new one does not compile here until it has.
import type { AlarmName } from "@iapo/grpo";
import { expect, test } from "vitest";
import { alarmMeanings, raisedAlarms } from "../src/report/alarms.ts";

test("an alarm is shown with its step and its meaning, one by an unknown name without, and a quiet one not at all", () => {
  const meanings: Readonly<Record<AlarmName, string>> = alarmMeanings;
  const metrics = { "alarm/length_drift": 1, "alarm/toString": 1, "alarm/kl_blow_up": 0, "reward/outcome": 1 };
  expect(raisedAlarms([{ step: 3, metrics }])).toEqual([
    { step: 3, name: "length_drift", meaning: meanings.length_drift },
    { step: 3, name: "toString", meaning: "" },
  ]);
});
