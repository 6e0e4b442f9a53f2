// Reads the oracle.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import type { Partition } from "../../src/math/index.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

export type ByBlock = Readonly<Record<string, number>>;

interface Integrated {
  readonly F_minus_baseline: number;
  readonly delta: number;
  readonly block_sum: ByBlock;
}

interface ModelNumbers {
  readonly S: number;
  readonly block_sum: Readonly<Record<"dot" | "l1" | "l2", ByBlock>>;
  readonly block_mean: Readonly<Record<"dot" | "l1" | "l2", ByBlock>>;
  readonly block_abs_sum_dot: ByBlock;
  readonly block_abs_mean_dot: ByBlock;
  readonly ig: Readonly<Record<string, Integrated>>;
  readonly occlusion: Readonly<Record<string, ByBlock>>;
}

export interface ComparedDistributions {
  readonly student: readonly number[];
  readonly teacher: readonly number[];
  readonly kl_student_teacher: number;
  readonly kl_teacher_student: number;
  readonly js?: number;
  readonly tv?: number;
}

interface GoldenNumbers {
  readonly prompt_length: number;
  readonly target_span: readonly [number, number];
  readonly block_of_prompt_token: readonly string[];
  readonly blocks: readonly string[];
  readonly models: Readonly<Record<"student" | "teacher", ModelNumbers>>;
  readonly distributions: Readonly<Record<string, ComparedDistributions>>;
}

export const golden: GoldenNumbers = JSON.parse(readFileSync(fixture("golden.json"), "utf8"));

/** The oracle's blocks as a partition. */
export const goldenPartition: Partition = {
  names: golden.blocks,
  unitOfToken: Int16Array.from(golden.block_of_prompt_token, (block) => golden.blocks.indexOf(block)),
};

/** In the order of the blocks. */
export function inBlockOrder(values: ByBlock): number[] {
  return golden.blocks.map((block) => values[block]!);
}

export type GoldenTensors = (name: string) => { readonly shape: readonly number[]; readonly values: Float64Array };

export async function loadTensors(): Promise<GoldenTensors> {
  await using reader = await openSafetensors(fixture("golden.safetensors"));
  const tensors = new Map<string, { shape: readonly number[]; values: Float64Array }>();
  for (const { name, dtype, shape } of reader.tensors.values()) {
    const { buffer } = await reader.read(name);
    const typed = { F64: Float64Array, F32: Float32Array, I32: Int32Array }[dtype as string];
    if (!typed) throw new Error(`${name} is ${dtype}`);
    tensors.set(name, { shape, values: Float64Array.from(new typed(buffer)) });
  }
  return (name) => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no oracle tensor ${name}`);
    return found;
  };
}

/** Largest absolute difference. */
export function largestDifference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) throw new Error(`${got.length} numbers against ${expected.length}`);
  return Array.from(got).reduce((most, value, i) => {
    const difference = Math.abs(value - expected[i]!);
    return difference > most || Number.isNaN(difference) ? difference : most;
  }, 0);
}

export function sumOfAbsolutes(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + Math.abs(value), 0);
}
