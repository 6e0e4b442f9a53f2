/** Any step: one or two groups of one to three samples, half of them with a tool call and a second turn. */
import fc from "fast-check";
import { makeStep, type Plan, type Planned } from "./episodes.ts";

const pixel = fc.uint8Array({ minLength: 12, maxLength: 12 });
const written = fc.uint8Array({ minLength: 0, maxLength: 4 });
// JSON has no -0
const number = fc.double({ noNaN: true, min: -1e100, max: 1e100 }).map((value) => value + 0);
const plan: fc.Arbitrary<Plan> = fc.record({
  question: fc.string({ unit: "grapheme", maxLength: 8 }),
  pixels: pixel,
  samples: fc.array(
    fc.record({ first: written, edited: fc.option(pixel), second: written, outcome: number, log: number }),
    { minLength: 1, maxLength: 3 },
  ),
});

export const steps: fc.Arbitrary<() => Promise<Planned>> = fc
  .array(plan, { minLength: 1, maxLength: 2 })
  .map((groups) => () => makeStep(groups));
