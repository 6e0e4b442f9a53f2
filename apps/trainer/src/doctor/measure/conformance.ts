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
/** What tensor cores compute, forward or backward. */
const PRODUCTS = new Set(["linear", "linearInt8", "matmul"]);
const isOp = (value: unknown): value is core.Op => typeof value === "function" && "opName" in value;

/** Cases of an op where time is short. */
const FEW = 2;

export async function measureConformance({ device, deadline, isSmall }: PartContext): Promise<Found<"conformance">> {
  const result = { cases: 0, left: 0, largest: { error: 0, case: "" }, wrong: [] as string[] };
  const { family: usual } = device.facts;
  const families: core.KernelFamily[] = [];
  let withoutTensorCores: string | undefined;
  for (const family of new Set<core.KernelFamily>([usual, ...(isSmall ? ["workgroup" as const] : []), "matrix"])) {
    const opened = await openFamily(family);
    if (typeof opened === "string") {
      withoutTensorCores = opened;
      continue;
    }
    using own = opened;
    families.push(family);
    const cases = Object.values<unknown>(core)
      .filter(isOp)
      .filter(({ opName }) => {
        if (family === usual) return !isSmall || MAIN.has(opName);
        return family === "matrix" ? PRODUCTS.has(opName) : opName === "linear";
      })
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
  return { families, ...(withoutTensorCores !== undefined && { withoutTensorCores }), ...result };
}

/** Or why its kernels cannot run here. */
async function openFamily(family: core.KernelFamily): Promise<core.Device | string> {
  try {
    return await core.openDevice({ family });
  } catch (error) {
    if (error instanceof core.TensorError && error.code === "no_tensor_cores") return error.message;
    throw error;
  }
}
