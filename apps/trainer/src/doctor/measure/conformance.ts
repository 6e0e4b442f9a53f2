// Ops against their f64 references on this adapter: all of them on a card, those that a step rests on where time is short.
import * as core from "@iapo/tensor-core";
import { checkCase } from "@iapo/tensor-core/testing";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";

/** What a step's time and numbers rest on. */
const MAIN = new Set([
  "linear",
  "matmul",
  "attention",
  "rmsNorm",
  "rope",
  "siluGate",
  "logProbs",
  "softmax",
  "exp",
  "tanh",
  "cast",
]);
const isOp = (value: unknown): value is core.Op => typeof value === "function" && "opName" in value;

/** Cases of an op where time is short. */
const FEW = 2;

export async function measureConformance({ device, deadline, isSmall }: PartContext): Promise<Found<"conformance">> {
  const result = { cases: 0, left: 0, largest: { error: 0, case: "" }, wrong: [] as string[] };
  const families: core.KernelFamily[] = isSmall ? [device.facts.family, "workgroup"] : [device.facts.family];
  for (const family of new Set(families)) {
    using own = await core.openDevice({ family });
    const isOther = family !== device.facts.family;
    const cases = Object.values<unknown>(core)
      .filter(isOp)
      .filter(({ opName }) => !isSmall || (isOther ? opName === "linear" : MAIN.has(opName)))
      .flatMap((op) =>
        op.cases
          .filter(({ full }) => !full)
          .slice(0, isSmall ? FEW : undefined)
          .map((testCase) => ({ op, testCase, name: `${op.opName} / ${testCase.name} (${family})` })),
      );
    for (const { op, testCase, name } of cases) {
      if (performance.now() > deadline) {
        result.left++;
        continue;
      }
      result.cases++;
      try {
        const { forward } = await checkCase(own, op, testCase);
        if (forward > result.largest.error) result.largest = { error: forward, case: name };
      } catch (error) {
        result.wrong.push(`${name}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500));
      }
    }
  }
  return { families: [...new Set(families)], ...result };
}
