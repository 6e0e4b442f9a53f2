// What an attribution costs before it runs. Rows are counted from the workload alone; bytes and operations come from running the method's own
// code on a planning device, on which nothing is computed (docs/decisions/0003), so that they cannot drift from it.
import { attributeBlocks } from "./attribute.ts";
import { type Partition, tokensOfUnits } from "./math/index.ts";
import type { BlockMethod } from "./methods.ts";
import type { DifferentiableModel } from "./model.ts";

/** One group, as its rows count. */
export interface AttributionWorkload {
  /** P. */
  readonly promptTokens: number;
  /** Rows of each response up to its last target: R - 1 where the whole response is explained. */
  readonly responseRows: readonly number[];
  /** First token of each block that has tokens (K of them). */
  readonly firstTokens: readonly number[];
}

/** Rows that go through the decoder's layers. */
export interface AttributionRows {
  readonly forward: number;
  readonly backward: number;
}

/**
 * Rows of a method (docs/architecture.md "Block attribution"), for n responses of R rows each to P prompt tokens: gradients P + nR forward and n(P + R)
 * backward, integrated gradients that for each step and two more forward passes, occlusion P + nR and for each block the rows from its
 * first token on + nR.
 */
export function attributionRows(workload: AttributionWorkload, method: BlockMethod): AttributionRows {
  const { promptTokens, responseRows, firstTokens } = workload;
  const answers = responseRows.reduce((sum, rows) => sum + rows, 0);
  const pass = promptTokens + answers;
  const backward = responseRows.length * promptTokens + answers;
  switch (method.kind) {
    case "occlusion":
      return { forward: firstTokens.reduce((sum, first) => sum + pass - first, pass), backward: 0 };
    case "ig": {
      const { steps = 32 } = method;
      return { forward: (steps + 2) * pass, backward: steps * backward };
    }
    default:
      return { forward: pass, backward };
  }
}

/** `attributionRows` without sharing: one pass per response, and per block where blocks are occluded. */
export function unsharedRows(workload: AttributionWorkload, method: BlockMethod): AttributionRows {
  const { promptTokens, responseRows, firstTokens } = workload;
  const all = responseRows.reduce((sum, rows) => sum + promptTokens + rows, 0);
  if (method.kind === "occlusion") return { forward: (firstTokens.length + 1) * all, backward: 0 };
  const steps = method.kind === "ig" ? (method.steps ?? 32) : 1;
  return { forward: (method.kind === "ig" ? steps + 2 : steps) * all, backward: steps * all };
}

/** The first token of each unit that has tokens. */
export function firstTokensOf(partition: Partition): number[] {
  return tokensOfUnits(partition).flatMap(([first]) => first ?? []);
}

export interface AttributionPlan {
  /** Most bytes of GPU memory in use at once, with all that was in use before: the model's weights, say. */
  readonly peakBytes: number;
  /** How much of that came on top. */
  readonly workingBytes: number;
  /** A multiply-add counts as two. */
  readonly flops: number;
}

/** Runs a method and reports what it took: on a planning device the prediction, on a real one the measurement. @throws as `attributeBlocks` */
export async function planAttribution<Input>(
  model: DifferentiableModel<Input>,
  input: Input,
  partition: Partition,
  method: BlockMethod,
): Promise<AttributionPlan> {
  const { device } = model;
  device.pool.resetPeak();
  const [before, flops] = [device.memory().liveBytes, device.flops];
  await attributeBlocks(model, input, partition, method);
  const { peakBytes } = device.memory();
  return { peakBytes, workingBytes: peakBytes - before, flops: device.flops - flops };
}

/** GPU memory of one model. */
export interface ModelBytes {
  /** What it holds all the time: weights, masters, optimizer. */
  readonly held: number;
  /** Most at once in any of its phases (generation, update, attribution), with what it holds. */
  readonly peak: number;
}

/**
 * Most bytes at once while a student learns from a teacher. `resident`: both stay. `turns`: the teacher's weights come when it scores and go
 * when it has, and of the student's only `staying` bytes are there meanwhile (all it holds, unless its frozen weights leave too). `cached`:
 * the teacher scored its own calls before training, alone.
 */
export function teacherWays(
  student: ModelBytes,
  teacher: ModelBytes,
  staying: number = student.held,
): Record<"resident" | "turns" | "cached", number> {
  return {
    resident: Math.max(student.peak + teacher.held, student.held + teacher.peak),
    turns: Math.max(student.peak, staying + teacher.peak),
    cached: Math.max(student.peak, teacher.peak),
  };
}
