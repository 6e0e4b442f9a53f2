// What a workload needs before anything is loaded: the model's own code runs on a device that counts and computes nothing.
import {
  type AdapterFacts,
  type Device,
  deriveSeed,
  type MemoryReport,
  mean,
  negate,
  planningDevice,
} from "@iapo/tensor-core";
import type { QwenVLConfig } from "../config/types.ts";
import { Session } from "../generation/session.ts";
import { Adapter, type AdapterOptions } from "../lora/adapter.ts";
import { QwenVLModel } from "../model/model.ts";
import {
  type EncodedImage,
  nextPositionOf,
  type PromptGroup,
  packGroups,
  type ResponseSequence,
  type Sequence,
} from "../model/pack.ts";
import { ropePositions } from "../processor/positions.ts";
import type { ImageGrid } from "../processor/smart-resize.ts";
import { optimizerOf, trainableParameters, trainStep } from "../training/step.ts";
import { type RunDType, Weights } from "../weights/weights.ts";

/** One prompt and its responses. */
export interface Workload {
  readonly dtype: RunDType;
  readonly promptTokens: number;
  /** Images of the prompt, in patches; their tokens come on top of `promptTokens`. */
  readonly images: readonly ImageGrid[];
  readonly responses: number;
  readonly responseTokens: number;
  /** What is trained; absent: nothing. */
  readonly train?: "full" | "text" | AdapterOptions;
  readonly checkpoint?: boolean;
}

export interface PlannedPhase {
  readonly name: "load" | "generate" | "update";
  /** Most GPU bytes in use at once. */
  readonly peakBytes: number;
  /** Multiply-adds count as two. */
  readonly flops: number;
}

export interface ModelPlan {
  /** Bytes by part once the model stands ready: weights, masters, adapter, optimizer. */
  readonly bytesByPart: MemoryReport["byTag"];
  readonly phases: readonly PlannedPhase[];
  readonly peakBytes: number;
}

/** Plans a workload on an adapter; see `runWorkload`, which is what is counted. */
export async function planModel(config: QwenVLConfig, workload: Workload, facts: AdapterFacts): Promise<ModelPlan> {
  const device = planningDevice(facts);
  const { train } = workload;
  const trainable =
    train === "full" ? () => true : train === "text" ? (name: string) => !name.startsWith("visual.") : undefined;
  const model = new QwenVLModel(config, Weights.allocate(device, config, workload.dtype, trainable));
  const plan = await runWorkload(model, workload);
  model.dispose();
  device.close();
  return plan;
}

/** Runs a workload on a model and reports what each phase took: on a planning device the prediction, on a real one the measurement. */
export async function runWorkload(model: QwenVLModel, workload: Workload): Promise<ModelPlan> {
  const { device, config } = model;
  const phases: PlannedPhase[] = [];
  const phase = async (name: PlannedPhase["name"], work: () => void | Promise<void>): Promise<void> => {
    device.pool.resetPeak();
    const before = device.flops;
    await work();
    await device.idle();
    phases.push({ name, peakBytes: device.memory().peakBytes, flops: device.flops - before });
  };
  await phase("load", () => {
    if (typeof workload.train === "object") model.adapter = Adapter.create(device, config, workload.train, [0, 0]);
  });
  const optimizer = workload.train ? optimizerOf(trainableParameters(model)) : undefined;
  const bytesByPart = device.memory().byTag;
  const group = workloadGroup(config, workload);
  await phase("generate", () => generate(device, model, group.prompt, workload));
  if (optimizer) {
    await phase("update", async () => {
      const batch = packGroups(config, [group]);
      using loss = trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), {
        learningRate: 0,
        checkpoint: workload.checkpoint ?? false,
      });
      await loss.item();
    });
    optimizer.dispose();
  }
  return { bytesByPart, phases, peakBytes: Math.max(...phases.map(({ peakBytes }) => peakBytes)) };
}

/** A workload's prompt and responses, in tokens of no meaning; every response token is a target. */
export function workloadGroup(config: QwenVLConfig, workload: Omit<Workload, "dtype">): PromptGroup {
  const { promptTokens, images, responses, responseTokens } = workload;
  const prompt = sequenceOf(config, promptTokens, images, 0);
  const response = {
    ...sequenceOf(config, responseTokens, [], nextPositionOf(prompt)),
    targets: new Uint8Array(responseTokens).fill(1),
  };
  return { prompt, responses: new Array<ResponseSequence>(responses).fill(response) };
}

async function generate(
  device: Device,
  model: QwenVLModel,
  prompt: Sequence,
  { responses, responseTokens }: Workload,
): Promise<void> {
  using session = await Session.open(model, [prompt]);
  const seeds = Array.from({ length: responses }, (_, i) => deriveSeed("plan", i));
  await session.generate({
    samples: responses,
    sampling: { temperature: 1 },
    seeds,
    stop: { ids: [], maxTokens: responseTokens },
  });
  await device.idle();
}

/** Tokens of no meaning: `count` of text, then the images. */
function sequenceOf(config: QwenVLConfig, count: number, grids: readonly ImageGrid[], start: number): Sequence {
  const { vision, tokens: special } = config;
  const width = vision.inChannels * vision.patchSize ** 2;
  const images = grids.map(
    (grid, i): EncodedImage => ({
      id: `plan ${i}`,
      grid,
      frames: 1,
      values: new Float32Array(grid[0] * grid[1] * grid[2] * width),
    }),
  );
  const ids = Array.from({ length: count }, (_, i) => i % Math.min(special.image, 64));
  for (const [t, h, w] of grids)
    ids.push(...new Array<number>((t * h * w) / vision.spatialMergeSize ** 2).fill(special.image), 0);
  const tokens = Int32Array.from(ids);
  return { tokens, images, positions: ropePositions(tokens, grids, special, vision.spatialMergeSize, start).positions };
}
