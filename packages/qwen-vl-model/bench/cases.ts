// What `pnpm bench model` measures: which models, how many tokens, and what counts as right.
import { mean, negate, planningDevice, typicalCard } from "@iapo/tensor-core";
import type { Arrays, Case, Probe, Workload } from "../../../tools/bench/harness/types.ts";
import { type KnownConfigName, knownConfigs } from "../src/config.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { packGroups } from "../src/model/pack.ts";
import { Weights } from "../src/weights/weights.ts";
import { type GroupShape, groupOf } from "../test/support/group.ts";
import { optimizerOf, trainStep } from "../test/support/train-step.ts";

export type ModelName = Extract<KnownConfigName, "nano" | "mini">;

export interface ModelCase extends Case {
  readonly kind: "prefill" | "decode" | "train" | "shared prefill" | "shared update";
  readonly model: ModelName;
  readonly shape: GroupShape;
}

/** A group of an update, with a small chart in the prompt. */
const GROUP = {
  nano: { prompt: 256, response: 64, responses: 8, image: [1, 16, 16] },
  mini: { prompt: 1024, response: 64, responses: 8, image: [1, 16, 16] },
} as const satisfies Record<ModelName, GroupShape>;
const EDITED = { ...GROUP.mini, edited: [1, 16, 16] } as const satisfies GroupShape;

/** Prompt and response of the decoding cases. */
const DECODED = { prompt: 64, response: 64 };

/** Goals of the issue "Qwen2.5-VL". */
const TIMES = 4;
const TIMES_EDITED = 2;
const FRACTION_OF_MATMUL = 0.6;

const EXACT = 0;
/** Of gradients against those of another order of sums. */
const SAME_GRADIENT = 1e-5;
/** Of a slope in f32 against a difference of two losses. */
const SLOPE = 0.02;

function prefill(model: ModelName): ModelCase {
  const shape = { ...GROUP[model], response: 2, responses: 1 };
  const name = `${model}: prefill of ${shape.prompt} tokens`;
  return { name, unit: "tokens/s", work: shape.prompt, tolerance: EXACT, kind: "prefill", model, shape };
}

function decode(model: ModelName, batch: number): ModelCase {
  const shape = { ...DECODED, responses: batch };
  const name = `${model}: decode at batch ${batch}`;
  return { name, unit: "tokens/s", work: batch * shape.response, tolerance: EXACT, kind: "decode", model, shape };
}

function train(model: ModelName): ModelCase[] {
  const shape = GROUP[model];
  const tokens = shape.prompt + shape.responses * shape.response;
  const common = { tolerance: SLOPE, kind: "train", model, shape } as const;
  const goal = { ratioToBestPeer: FRACTION_OF_MATMUL };
  return [
    { ...common, name: `${model}: training step of ${tokens} tokens`, unit: "tokens/s", work: tokens },
    { ...common, name: `${model}: training step, operations`, unit: "GFLOP/s", work: operations(model, shape), goal },
  ];
}

function shared(kind: "shared prefill" | "shared update", shape: GroupShape, times: number): ModelCase {
  const { prompt, response, responses, edited } = shape;
  const sizes = `P ${prompt}, R ${response}, n ${responses}${edited ? ", edited images" : ""}`;
  const tolerance = kind === "shared update" ? SAME_GRADIENT : EXACT;
  const goal = { ratioToBestPeer: times };
  return { name: `mini: ${kind}, ${sizes}`, unit: "steps/s", work: 1, tolerance, goal, kind, model: "mini", shape };
}

/** Operations of a training step: the model's own code counts them on a device that computes nothing. */
function operations(model: ModelName, shape: GroupShape): number {
  const config = knownConfigs[model];
  using device = planningDevice(ANY_ADAPTER);
  const counted = new QwenVLModel(
    config,
    Weights.allocate(device, config, "f32", () => true),
  );
  const optimizer = optimizerOf(counted);
  const before = device.flops;
  const batch = packGroups(config, [groupOf(config, shape)]);
  trainStep(counted, optimizer, batch, ({ logProb }) => negate(mean(logProb)), { learningRate: 0 }).dispose();
  return device.flops - before;
}

/** What every adapter grants: the count of operations does not depend on it. */
const ANY_ADAPTER = { ...typicalCard, maxBinding: 2 ** 27, maxBuffer: 2 ** 28 };

export const workload: Workload<ModelCase> = {
  name: "model",
  cases: [
    ...(["nano", "mini"] as const).flatMap((model) => [
      prefill(model),
      ...[1, 8, 64].map((batch) => decode(model, batch)),
      ...train(model),
    ]),
    shared("shared update", GROUP.mini, TIMES),
    shared("shared prefill", { ...GROUP.mini, response: 2 }, TIMES),
    shared("shared update", EDITED, TIMES_EDITED),
  ],
  inputs: (): Arrays => ({}),
  /** Every case has quotients that should be 1: see checks.ts. */
  expected: (): Probe[] => [{ output: "quotients", indices: [0, 1], values: [1, 1] }],
};
