// The shipped nano models do what the README of nano-vl says: sampled at temperature 1 on held-out charts.
import { largeTeacherDirectory, studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import { openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { measureDirectory } from "../recipes/nano/measure.ts";

/** A little more than two standard errors of a rate of 448 samples: other adapters may sample otherwise. */
const MARGIN = 0.05;

test.runIf(process.env.IAPO_FULL === "1").each([
  ["student", studentDirectory, { wellFormed: 0.913, wrongAxis: 0.366, rightNames: 0.906, answers: 0.578 }],
  ["teacher", teacherDirectory, { wellFormed: 1, wrongAxis: 0.002, rightNames: 0.984, answers: 0.875 }],
  ["larger teacher", largeTeacherDirectory, { wellFormed: 0.996, wrongAxis: 0, rightNames: 0.975, answers: 0.882 }],
] as const)(
  "the %s",
  async (_, directory, published) => {
    using device = await openDevice();
    const measured = await measureDirectory(device, directory);
    for (const [rate, value] of Object.entries(published)) {
      expect(Math.abs((measured[rate] ?? Number.NaN) - value), `${rate}: ${measured[rate]}`).toBeLessThan(MARGIN);
    }
  },
  300_000,
);
