// The shipped nano models do what the README of nano-vl says: sampled at temperature 1 on held-out charts.
import {
  contextStudentDirectory,
  contextTeacherDirectory,
  largeTeacherDirectory,
  studentDirectory,
  teacherDirectory,
} from "@iapo/nano-vl";
import { openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { measureDirectory } from "../recipes/nano/measure.ts";
import { inContext } from "../recipes/nano/stages.ts";

/** A little more than two standard errors of a rate of 448 samples: other adapters may sample otherwise. */
const MARGIN = 0.05;

test.runIf(process.env.IAPO_FULL === "1").each([
  ["student", studentDirectory, { wellFormed: 0.913, wrongAxis: 0.366, rightNames: 0.906, answers: 0.578 }],
  ["teacher", teacherDirectory, { wellFormed: 1, wrongAxis: 0.002, rightNames: 0.984, answers: 0.875 }],
  ["larger teacher", largeTeacherDirectory, { wellFormed: 0.996, wrongAxis: 0, rightNames: 0.975, answers: 0.882 }],
  [
    "student in context",
    contextStudentDirectory,
    { wellFormed: 0.817, wrongAxis: 0.328, rightNames: 0.813, answers: 0.605 },
    inContext,
  ],
  [
    "teacher in context",
    contextTeacherDirectory,
    { wellFormed: 0.931, wrongAxis: 0, rightNames: 0.931, answers: 0.839 },
    inContext,
  ],
] as const)(
  "the %s",
  async (_, directory, published, world?: typeof inContext) => {
    using device = await openDevice();
    const measured = await measureDirectory(device, directory, { world });
    for (const [rate, value] of Object.entries(published)) {
      expect(Math.abs((measured[rate] ?? Number.NaN) - value), `${rate}: ${measured[rate]}`).toBeLessThan(MARGIN);
    }
  },
  300_000,
);
