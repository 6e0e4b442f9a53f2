/** The published codes' numbers, unpacked. */
import { readFileSync } from "node:fs";
import type { TokenBatch } from "../../src/math/index.ts";

type PackedLoss = { loss: number; gradient: string; metrics?: [number, number, number] };
type Packed = {
  groupSize: number;
  rows: number;
  columns: number;
  mask: string;
  lp: string;
  old: string;
  ref: string;
  rollout: string;
  rewards: number[];
  secondReward: number[];
  advantages: Record<string, number[]>;
  importance: Record<string, string>;
  rejections: Record<string, string>;
  kl: Record<string, { loss: number; gradient: string; perToken: string }>;
  losses: Record<string, PackedLoss>;
};

export type OracleLoss = { loss: number; gradient: Float64Array; metrics?: [number, number, number] };

export type OracleCase = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly groups: Int32Array;
  readonly batch: TokenBatch;
  readonly reference: Float64Array;
  readonly rollout: Float64Array;
  readonly rewards: Float64Array;
  readonly secondReward: Float64Array;
  readonly advantages: Record<string, number[]>;
  readonly importance: Record<string, Float64Array>;
  readonly rejections: Record<string, Uint8Array>;
  readonly kl: Record<string, OracleLoss & { perToken: Float64Array }>;
  readonly losses: Record<string, OracleLoss>;
};

function floats(text: string): Float64Array {
  return Float64Array.from(new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer));
}

/** Zeros where the mask is 0. */
function unmasked(text: string, mask: Uint8Array): Float64Array {
  const packed = floats(text);
  let next = 0;
  const all = Float64Array.from(mask, (value) => (value > 0 ? packed[next++]! : 0));
  if (next !== packed.length) throw new Error(`${packed.length} values for ${next} tokens`);
  return all;
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

function unpack(name: string, packed: Packed): OracleCase {
  const mask = Uint8Array.from(packed.mask, Number);
  const loss = (value: PackedLoss): OracleLoss => ({ ...value, gradient: unmasked(value.gradient, mask) });
  return {
    name,
    rows: packed.rows,
    columns: packed.columns,
    groups: Int32Array.from({ length: packed.rows }, (_, row) => Math.floor(row / packed.groupSize)),
    batch: {
      offsets: Int32Array.from({ length: packed.rows + 1 }, (_, row) => row * packed.columns),
      mask,
      logProbs: floats(packed.lp),
      oldLogProbs: floats(packed.old),
    },
    reference: floats(packed.ref),
    rollout: floats(packed.rollout),
    rewards: Float64Array.from(packed.rewards, Math.fround),
    secondReward: Float64Array.from(packed.secondReward, Math.fround),
    advantages: packed.advantages,
    importance: mapValues(packed.importance, (text) => unmasked(text, mask)),
    rejections: mapValues(packed.rejections, (text) => Uint8Array.from(text, Number)),
    kl: mapValues(packed.kl, (value) => ({ ...loss(value), perToken: unmasked(value.perToken, mask) })),
    losses: mapValues(packed.losses, loss),
  };
}

const file = new URL("fixtures/oracle.json", import.meta.url);

export const oracleCases: readonly OracleCase[] = Object.entries(
  JSON.parse(readFileSync(file, "utf8")) as Record<string, Packed>,
).map(([name, packed]) => unpack(name, packed));

/** Largest absolute difference by largest absolute value of the reference; absolute where that is 0. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let scale = 0;
  for (let index = 0; index < expected.length; index++) {
    const one = Math.abs(actual[index]! - expected[index]!);
    difference = Number.isNaN(one) ? Number.POSITIVE_INFINITY : Math.max(difference, one);
    scale = Math.max(scale, Math.abs(expected[index]!));
  }
  return scale === 0 ? difference : difference / scale;
}
