// What the browser check computes with the built package, in a page and in Node: ops against their f64 references, and a small training.
import {
  attention,
  type Device,
  gatherRows,
  linear,
  logProbs,
  matmul,
  rmsNorm,
  rope,
  siluGate,
  softmax,
  sum,
} from "@iapo/tensor-core";
import { checkCase } from "@iapo/tensor-core/testing";
import { Transformer } from "../support/transformer.ts";

export interface OpReport {
  readonly name: string;
  readonly cases: number;
  /** What was wrong, for each case that failed. */
  readonly failures: readonly string[];
}

const ops = [matmul, linear, attention, rmsNorm, softmax, logProbs, siluGate, rope, gatherRows, sum];

/** Where not all cases: those of the others compile further pipelines, which takes SwiftShader seconds each. The conformance suite runs them. */
const chosen: Readonly<Record<string, RegExp>> = {
  matmul: /^(nn|nt) (f32|bf16) 1 x 130|^nn f32 70/,
  attention: /^(one sequence|vision windows|causal|shared prefix|empty)/,
};

/** Ten ops against their references, forward and backward, each case twice for equal bits. */
export async function checkOps(device: Device): Promise<OpReport[]> {
  const reports: OpReport[] = [];
  for (const op of ops) {
    const cases = op.cases.filter(({ name, full }) => !full && (chosen[op.opName]?.test(name) ?? true));
    const failures: string[] = [];
    for (const testCase of cases) {
      await checkCase(device, op, testCase).catch((error: Error) => failures.push(error.message));
    }
    reports.push({ name: op.opName, cases: cases.length, failures });
  }
  return reports;
}

/** The losses of 20 steps of the small transformer that training.test.ts trains. */
export async function train(device: Device): Promise<number[]> {
  const model = new Transformer(device, "browser");
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) {
    using loss = model.step();
    losses.push(await loss.item());
  }
  model.dispose();
  return losses;
}
