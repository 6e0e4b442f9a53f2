/**
 * Random graphs of ops: values against a composition of the f64 references, gradients of several backward passes against central
 * differences, with views, shared subexpressions, scopes and checkpoints. Usage: graphs.fuzz.ts [count].
 */
import { type Device, openDevice, planningDevice } from "../src/index.ts";
import { seededRandom } from "../src/testing/index.ts";
import { checkProgram } from "./graphs/check.ts";
import { generateProgram } from "./graphs/generate.ts";
import { describeProgram, opsOf, type Program } from "./graphs/program.ts";

export interface GraphCounts {
  /** Graphs that were compared; graphs in which rounding errors grow too much are replaced by others. */
  graphs: number;
  replaced: number;
  directions: number;
  kinks: number;
  checkpoints: number;
  /** How often each op occurred. */
  readonly ops: Map<string, number>;
}

/** @throws an Error with the graph's seed and its text where a device and the references disagree. */
export async function fuzzGraphs(device: Device, count: number, seed: string): Promise<GraphCounts> {
  const counts: GraphCounts = { graphs: 0, replaced: 0, directions: 0, kinks: 0, checkpoints: 0, ops: new Map() };
  using planning = planningDevice(device.facts);
  for (let i = 0; counts.graphs < count; i++) {
    const name = `${seed} ${i}`;
    const random = seededRandom(name);
    const program = generateProgram(planning, random, 2 + Math.floor(random() * 9));
    if (program.outputs.length === 0) continue;
    try {
      const { outcome, directions, kinks } = await checkProgram(device, program, random);
      if (outcome === "checked") tally(counts, program, directions, kinks);
      else counts.replaced++;
    } catch (error) {
      throw new Error(`graph "${name}": ${(error as Error).message}\n${describeProgram(program)}`, { cause: error });
    }
  }
  return counts;
}

function tally(counts: GraphCounts, program: Program, directions: number, kinks: number): void {
  counts.graphs++;
  counts.directions += directions;
  counts.kinks += kinks;
  counts.checkpoints += program.nodes.filter(({ kind }) => kind === "checkpoint").length;
  for (const { op } of opsOf(program.nodes)) counts.ops.set(op.opName, (counts.ops.get(op.opName) ?? 0) + 1);
}

if (import.meta.main) {
  const count = Number(process.argv[2] ?? process.env.IAPO_FUZZ_RUNS ?? 500);
  using device = await openDevice();
  const { ops, ...counts } = await fuzzGraphs(device, count, process.env.IAPO_FUZZ_SEED ?? "1");
  console.log({ ...counts, ops: ops.size, pipelines: device.pipelines });
}
