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
import type { QwenVLConfig } from "../../src/config/types.ts";
import { Session } from "../../src/generation/session.ts";
import { Adapter, type AdapterOptions } from "../../src/lora/adapter.ts";
import { QwenVLModel } from "../../src/model/model.ts";
import { packGroups, type Sequence } from "../../src/model/pack.ts";
import { type Workload as Sizes, workloadGroup } from "../../src/plan/workload.ts";
import { type RunDType, Weights } from "../../src/weights/weights.ts";
import { optimizerOf, trainStep } from "./train-step.ts";

export interface Workload extends Sizes {
  readonly dtype: RunDType;
  /** What is trained; absent: nothing. */
  readonly train?: "full" | "text" | AdapterOptions;
  readonly checkpoint?: boolean;
}

interface PlannedPhase {
  readonly name: "load" | "generate" | "update";
  /** Most GPU bytes in use at once. */
  readonly peakBytes: number;
  /** Multiply-adds count as two. */
  readonly flops: number;
}

interface ModelPlan {
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
  const optimizer = workload.train ? optimizerOf(model) : undefined;
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
