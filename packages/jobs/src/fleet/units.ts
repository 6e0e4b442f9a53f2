// The units of a run's fleet: what is asked, and what comes back, as bytes. Learner and workers both read this file.
import { arrayOf, FleetError, type Frame, type Numbers, packFrame, unpackFrame } from "@iapo/fleet";
import type { ComputedPieces, LossConstants, Rollout, TrainablePolicy } from "@iapo/grpo";
import type { ExplainedGroup } from "@iapo/iapo";
import { imagesOfContent, type Task } from "@iapo/rollout-trace";
import { z } from "zod";
import { packTraces, unpackTraces } from "./traces.ts";

/** What a worker can be asked for. */
export const roles = ["rollout", "explain-student", "explain-teacher", "gradient"] as const;
export type Role = (typeof roles)[number];

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
/** Of the policy; the blob holds what forward passes read of its trained weights. */
const versionSchema = z.strictObject({ number: count, blob: hash });
export type Version = z.infer<typeof versionSchema>;

/** Groups one after another: they are generated together. */
export const rolloutUnit = z.strictObject({
  version: versionSchema,
  step: count,
  /** Number of the first group, and place of its task in the order of tasks. */
  group: count,
  cursor: count,
  tasks: z.array(z.string()).min(1).max(65_536),
});
/** Groups that are explained together: a blob of traces for each. */
export const explainUnit = z.strictObject({
  version: versionSchema.nullable(),
  traces: z.array(hash).min(1).max(65_536),
});
const pieceSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("policy"), traces: z.array(hash), constants: hash }),
  z.strictObject({ kind: z.literal("examples"), cursor: count, count: z.int().min(1), tokens: z.int().min(1) }),
]);
export type AskedPiece = z.infer<typeof pieceSchema>;

/** Pieces one after another, whose gradients are added in their order. */
export const gradientUnit = z.strictObject({
  version: versionSchema,
  pieces: z.array(pieceSchema).min(1).max(65_536),
});

/** Each reading waits for the device, and takes the memory of what it reads once more. */
const READ_AT_ONCE = 8;

/** What forward passes read of the trained weights, as it lies in memory. */
export async function packVersion({ parameters }: TrainablePolicy): Promise<Uint8Array> {
  const parts = parameters.flatMap(({ name, run }) =>
    run.parts().map(({ start, tensor }) => ({ name: `${name}:${start}`, tensor })),
  );
  const arrays: [string, Numbers][] = [];
  for (let first = 0; first < parts.length; first += READ_AT_ONCE) {
    const some = parts.slice(first, first + READ_AT_ONCE);
    const read = some.map(({ tensor }) => tensor.device.readBytes(tensor.storage, tensor.byteOffset, tensor.bytes));
    for (const [i, bytes] of (await Promise.all(read)).entries())
      arrays.push([some[i]?.name ?? "", new Uint8Array(bytes)]);
  }
  return packFrame({}, arrays);
}

/** Puts a policy at a version. @throws FleetError `invalid` for one of other weights; the policy is as it was then */
export function loadVersion(policy: TrainablePolicy, bytes: Uint8Array, number: number): void {
  const frame = unpackFrame(bytes);
  const parts = policy.parameters.flatMap(({ name, run }) =>
    run
      .parts()
      .map(({ start, tensor }) => ({ tensor, values: arrayOf(frame, `${name}:${start}`, "u8", tensor.bytes) })),
  );
  for (const { tensor, values } of parts) tensor.device.writeBytes(tensor.storage, tensor.byteOffset, values);
  policy.version = number;
}

const failuresSchema = z.object({
  failures: z.array(z.strictObject({ group: count, sample: count, task: z.string(), message: z.string() })).max(65_536),
});

/** @param tasks of the groups: their pictures are left out */
export function packRollout({ groups, failures }: Rollout, tasks: readonly Task[]): Uint8Array {
  const told = failures.map(({ group, sample, task, message }) => ({ group, sample, task, message }));
  const known = tasks.flatMap(({ content }) => imagesOfContent(content));
  return packTraces(groups.flat(), known, { failures: told });
}

interface AskedRollout<Content> {
  readonly step: number;
  readonly group: number;
  readonly tasks: readonly Task<Content>[];
  readonly samples: number;
  readonly version: number;
}

/** @throws FleetError `invalid` where it is not what was asked for */
export async function parseRollout<Content>(
  bytes: Uint8Array,
  { step, group: first, tasks, samples, version }: AskedRollout<Content>,
): Promise<Rollout<Content>> {
  const frame = unpackFrame(bytes);
  const traces = await unpackTraces(
    frame,
    tasks.flatMap(({ content }) => imagesOfContent(content)),
    (group) => tasks[group - first],
  );
  const { failures } = failuresSchema.parse(frame.header);
  const byGroup = Map.groupBy(traces, ({ group }) => group);
  const groups = tasks.map((_, i) => (byGroup.get(first + i) ?? []) as unknown as Rollout<Content>["groups"][number]); // of these tasks
  for (const [i, own] of groups.entries()) {
    const failed = failures.filter(({ group }) => group === first + i);
    const isAsked = own.every(
      (trace, k) =>
        trace.step === step &&
        trace.policyVersion === version &&
        trace.sample < samples &&
        trace.sample > (own[k - 1]?.sample ?? -1),
    );
    if (!isAsked || own.length + failed.length < samples)
      throw new FleetError("invalid", `it is not the group ${first + i} of step ${step}`);
  }
  return { groups, failures: failures.map((failure) => ({ ...failure, cause: failure.message })) };
}

/** Block scores of the calls of groups. */
export function packExplained(groups: readonly ExplainedGroup[]): Uint8Array {
  const arrays = groups.flatMap((group, g) =>
    group.flatMap((call, i): [string, Numbers][] =>
      call
        ? [
            [`log_prob.${g}.${i}`, Float64Array.of(call.logProb)],
            [`scores.${g}.${i}`, Float64Array.from(call.scores)],
          ]
        : [],
    ),
  );
  return packFrame({ calls: groups.map((group) => group.map((call) => call !== undefined)) }, arrays);
}

const explainedSchema = z.strictObject({ calls: z.array(z.array(z.boolean())) });

/** @param sizes traces of each group */
export function parseExplained(bytes: Uint8Array, sizes: readonly number[]): ExplainedGroup[] {
  const frame = unpackFrame(bytes);
  const { calls } = explainedSchema.parse(frame.header);
  if (calls.length !== sizes.length || calls.some(({ length }, g) => length !== sizes[g]))
    throw new FleetError("invalid", "it explains other groups");
  return calls.map((group, g) =>
    group.map((isCall, i) => {
      if (!isCall) return undefined;
      const [logProb = Number.NaN] = arrayOf(frame, `log_prob.${g}.${i}`, "f64", 1);
      const scores = [...arrayOf(frame, `scores.${g}.${i}`, "f64")];
      if (scores.every(Number.isFinite) && Number.isFinite(logProb)) return { logProb, scores };
      throw new FleetError("invalid", `the scores of call ${i} are not finite`);
    }),
  );
}

/** A typed array of another kind is widened, exactly: the constants that the GPU gets are f32 of these. */
export function packConstants(constants: LossConstants): Uint8Array {
  const arrays: [string, Numbers][] = [];
  for (const name of [
    "offsets",
    "mask",
    "oldLogProbs",
    "advantages",
    "tokenWeights",
    "importance",
    "referenceLogProbs",
  ] as const) {
    const values = constants[name];
    if (values) arrays.push([name, values.slice()]);
  }
  return packFrame({}, arrays);
}

export function parseConstants(bytes: Uint8Array): LossConstants {
  const frame = unpackFrame(bytes);
  const offsets = arrayOf(frame, "offsets", "i32");
  const tokens = offsets.at(-1) ?? 0;
  const optional = <T extends "f32" | "f64">(name: string, type: T) =>
    frame.arrays.has(name) ? arrayOf(frame, name, type, tokens) : undefined;
  return {
    offsets,
    mask: arrayOf(frame, "mask", "u8", tokens),
    oldLogProbs: arrayOf(frame, "oldLogProbs", "f32", tokens),
    advantages: arrayOf(frame, "advantages", "f64", tokens),
    tokenWeights: arrayOf(frame, "tokenWeights", "f64", tokens),
    importance: optional("importance", "f64"),
    referenceLogProbs: optional("referenceLogProbs", "f32"),
  };
}

export function packPieces({ outputs, gradients }: ComputedPieces): Uint8Array {
  return packFrame({}, [
    ["losses", Float32Array.from(outputs, ({ loss }) => loss)],
    ...outputs.flatMap(({ logProbs, entropies }, i): [string, Numbers][] => [
      [`log_probs.${i}`, logProbs],
      [`entropies.${i}`, entropies],
    ]),
    ...gradients.map((values, i): [string, Numbers] => [`gradient.${i}`, values]),
  ]);
}

/**
 * @param tokens of each piece
 * @throws FleetError `invalid` where it is of other weights, or of other tokens. Numbers that are not finite are the step's to judge.
 */
export function parsePieces(
  bytes: Uint8Array,
  { parameters }: TrainablePolicy,
  tokens: readonly number[],
): ComputedPieces {
  const frame: Frame = unpackFrame(bytes);
  const losses = arrayOf(frame, "losses", "f32", tokens.length);
  const outputs = tokens.map((count, i) => ({
    loss: losses[i] ?? Number.NaN,
    logProbs: arrayOf(frame, `log_probs.${i}`, "f32", count),
    entropies: arrayOf(frame, `entropies.${i}`, "f32", count),
  }));
  return { outputs, gradients: parameters.map(({ run }, i) => arrayOf(frame, `gradient.${i}`, "f32", run.size)) };
}
