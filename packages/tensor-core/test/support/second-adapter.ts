// Run as a process of its own (second-adapter.ts <family>), on the Vulkan driver that the environment names: some ops' cases, and what the adapter is, as JSON.
import { type KernelFamily, openDevice } from "../../src/index.ts";
import { registry } from "../../src/ops/registry.ts";
import { checkCase } from "../../src/testing/index.ts";

const OPS = [
  "add",
  "tanh",
  "softmax",
  "rmsNorm",
  "siluGate",
  "rope",
  "gatherRows",
  "sum",
  "linear",
  "matmul",
  "attention",
  "logProbs",
];
/** Elements of an input: this adapter is slow. */
const MOST_ELEMENTS = 5000;

const family = process.argv[2] as KernelFamily;
using device = await openDevice({ family });
const failures: string[] = [];
const passed: Record<string, number> = {};
for (const op of registry.filter(({ opName }) => OPS.includes(opName))) {
  passed[op.opName] = 0;
  const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
  for (const testCase of op.cases.filter(
    (c) => !c.full && c.inputs.every(({ shape }) => size(shape) <= MOST_ELEMENTS),
  )) {
    try {
      await checkCase(device, op, testCase);
      passed[op.opName]!++;
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
}
const { description } = device.facts;
console.log(JSON.stringify({ description, family, passed, failures }));
