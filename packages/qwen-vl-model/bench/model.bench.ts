// Tokens a second of prefill, decoding and training; the update and the prefill of a group beside those without a shared prefix; the
// training step's operations beside one matrix product of as many.
import { type Device, deriveSeed, linear, mean, negate, noGrad, openDevice, type Tensor } from "@iapo/tensor-core";
import type { Arrays, Benchmark, Library, Prepared } from "../../../tools/bench/harness/types.ts";
import { knownConfigs } from "../src/config.ts";
import { bannedIdsOf } from "../src/generation/banned.ts";
import type { GeneratedTurn } from "../src/generation/request.ts";
import { Session } from "../src/generation/session.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { packGroups } from "../src/model/pack.ts";
import { initializeWeights } from "../src/weights/initialize.ts";
import { groupOf, unshared } from "../test/support/group.ts";
import { optimizerOf, trainStep } from "../test/support/train-step.ts";
import { type ModelCase, workload } from "./cases.ts";
import { onPolicy, sameGradients, sameProbabilities, slope } from "./checks.ts";

const benchmark: Benchmark<ModelCase> = {
  workload,
  baselines: {
    unshared: () => openLibrary((of) => of.kind.startsWith("shared"), true),
    "matrix product": openProduct,
  },
  open: () => openLibrary(() => true, false),
};
export default benchmark;

async function openLibrary(can: (of: ModelCase) => boolean, apart: boolean): Promise<Library<ModelCase>> {
  const device = await openDevice();
  return {
    versions: {},
    async prepare(of) {
      if (!can(of)) return undefined;
      const config = knownConfigs[of.model];
      const model = new QwenVLModel(config, initializeWeights(device, config, [1, 2], { trainable: () => true }));
      const ready = of.kind === "train" || of.kind === "shared update" ? update : generation;
      return ready(device, model, of, apart);
    },
  };
}

/** One optimizer step; at a learning rate of 0, which keeps the weights for the check. */
function update(device: Device, model: QwenVLModel, { kind, shape }: ModelCase, apart: boolean): Prepared {
  const group = groupOf(model.config, shape);
  const [together, separate] = [[group], unshared(group)].map((groups) => packGroups(model.config, groups));
  const batch = apart ? separate! : together!;
  const optimizer = optimizerOf(model);
  const run = (): void => {
    trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), { learningRate: 0 }).dispose();
  };
  const check = (): Promise<Arrays> => {
    if (kind === "train") return slope(model, batch);
    return apart ? sameProbabilities(model, separate!, together!) : sameGradients(model, together!, separate!);
  };
  return {
    run,
    finish: () => device.idle(),
    outputs: check,
    profile: async () => await device.profile(run),
    dispose() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** Prompts computed, and behind them, where decoding is measured, responses sampled. */
function generation(device: Device, model: QwenVLModel, { kind, shape }: ModelCase, apart: boolean): Prepared {
  const group = groupOf(model.config, shape);
  const prompts = apart ? unshared(group).map(({ prompt }) => prompt) : [group.prompt];
  const bannedIds = bannedIdsOf(model.config, model.config.text.vocabSize);
  const sample = async (): Promise<GeneratedTurn[]> => {
    using session = await Session.open(model, prompts);
    return await session.generate({
      samples: shape.responses / prompts.length,
      sampling: { temperature: 1, bannedIds },
      seeds: Array.from({ length: shape.responses }, (_, i) => deriveSeed("bench", i)),
      stop: { ids: [], maxTokens: shape.response },
    });
  };
  const run =
    kind === "decode" ? async () => void (await sample()) : async () => (await Session.open(model, prompts)).close();
  return {
    run,
    finish: () => device.idle(),
    outputs: async () => onPolicy(model, prompts, await sample(), bannedIds),
    profile: async () => await device.profile(run),
    dispose: () => model.dispose(),
  };
}

/** A product of as many operations as a training step has, with a weight of 1024 x 1024: what the matmul benchmark reaches. */
async function openProduct(): Promise<Library<ModelCase>> {
  const WIDTH = 1024;
  const device = await openDevice();
  return {
    versions: {},
    async prepare({ kind, unit, work }) {
      if (kind !== "train" || unit !== "GFLOP/s") return undefined;
      const rows = Math.round(work / (2 * WIDTH * WIDTH));
      const ones = (height: number): Tensor =>
        device.tensor(new Float32Array(height * WIDTH).fill(1 / WIDTH), [height, WIDTH]);
      const [x, weight] = [ones(rows), ones(WIDTH)];
      let out: Tensor | undefined;
      return {
        run() {
          out?.dispose();
          out = noGrad(() => linear(x, weight));
        },
        finish: () => device.idle(),
        async outputs(): Promise<Arrays> {
          const values = (await out!.values()) as Float32Array;
          return { quotients: Float32Array.of(WIDTH * values[0]!, WIDTH * values.at(-1)!) };
        },
        dispose() {
          for (const tensor of [x, weight, out]) tensor?.dispose();
        },
      };
    },
  };
}
