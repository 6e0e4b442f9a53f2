import { expect, test } from "vitest";
import { verdictOf } from "../src/plan/verdict.ts";

const GIB = 2 ** 30;

test("a plan fits with a tenth of the room to spare", () => {
  const of = (gibibytes: number) => verdictOf(gibibytes * GIB, 24 * GIB);
  expect([of(21.5), of(21.7), of(23.3), of(24), of(24.1)]).toEqual(["fits", "tight", "tight", "tight", "no"]);
});
