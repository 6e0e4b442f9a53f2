// The whole way of one sample in small: chart, prompt, two turns with a tool between them, exact log-probs, two kinds of training step, export.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseDirectory } from "@iapo/nano-vl";
import {
  Adapter,
  bannedIdsOf,
  encodeContinuation,
  encodeConversation,
  exportModel,
  initializeWeights,
  joinSequences,
  optimizerOf,
  type PackedBatch,
  packGroups,
  QwenVLModel,
  type Sequence,
  Session,
  TEXT_PROJECTIONS,
  trainableParameters,
  trainStep,
  turnSequence,
  verifyExport,
} from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
import type { PromptBlock, RawImage } from "@iapo/rollout-trace";
import { type Device, deriveSeed, mean, negate, noGrad, scope } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { exampleProgram, exampleTask } from "./chart.ts";
import { blockContent } from "./content.ts";

const RESPONSES = 8;
const MAX_TOKENS = 24;

export interface SliceReport {
  readonly promptTokens: number;
  readonly imageTokens: number;
  /** Sampled tokens whose log-prob the packed forward gave again, bit for bit, of all sampled ones. */
  readonly equalLogProbs: number;
  readonly sampledTokens: number;
  /** Loss before and after a step, on the sampled tokens. */
  readonly fullStep: readonly [before: number, after: number];
  readonly adapterStep: readonly [before: number, after: number];
  /** Rows whose logits the exported and loaded model gave again, bit for bit; anything else is an error. */
  readonly exportedRows: number;
  /** What the model sees in turn 1 and in turn 2. */
  readonly images: readonly [before: RawImage, after: RawImage];
  readonly question: string;
}

/** Runs the slice with random nano weights made from `seed`; `note` hears of each stage. */
export async function runSlice(device: Device, seed: number, note: (text: string) => void): Promise<SliceReport> {
  const config = await loadConfig(baseDirectory);
  const processor = await loadProcessor(baseDirectory);
  const weights = initializeWeights(device, config, deriveSeed("slice", seed), { trainable: () => true });
  const model = new QwenVLModel(config, weights);
  const directory = await mkdtemp(join(tmpdir(), "iapo-slice-"));
  try {
    const task = await exampleTask();
    const environment = createEnvironment({ options: { prompt: "compact" } });
    const blocks = environment.prompt(task);
    const prompt = await encodeConversation(processor, [{ role: "user", content: blocks.map(blockContent) }]);
    note(`chart ${task.image.width} x ${task.image.height}: ${blocks.length} blocks, ${prompt.tokens.length} tokens`);
    const { next, tool } = await environment.step(task, { text: exampleProgram });
    if (!next || !tool?.image) throw new Error(`the example's program failed: ${tool?.reason?.message}`);
    note(`tool program: ${tool.status}, ${tool.tools.join(", ")} on ${tool.keys.join(", ")}`);

    const rollout = await sampleTwoTurns(model, processor, prompt, next.blocks, seed);
    const batch = packGroups(config, [{ prompt, responses: rollout.responses }]);
    note(
      `sampled ${batch.targetIds.length} tokens in ${RESPONSES} responses of two turns; packed into ${batch.tokens.length} rows`,
    );
    const packed = await packedLogProbs(model, batch, rollout.bannedIds);
    const equalLogProbs = packed.filter((value, i) => Object.is(value, rollout.logProbs[i])).length;

    const fullStep = await twoLosses(model, batch, 1e-3);
    note(`full fine-tuning step: loss ${fullStep[0].toFixed(4)} -> ${fullStep[1].toFixed(4)}`);
    model.adapter = Adapter.create(
      device,
      config,
      { rank: 8, alpha: 16, targets: TEXT_PROJECTIONS },
      deriveSeed("adapter", seed),
    );
    const adapterStep = await twoLosses(model, batch, 1e-2);
    note(`LoRA step: loss ${adapterStep[0].toFixed(4)} -> ${adapterStep[1].toFixed(4)}`);

    const exported = join(directory, "model");
    await exportModel(model, exported, { companions: baseDirectory });
    const check = await verifyExport(model, exported, [prompt]);
    note(
      `exported and loaded again: ${check.rows} rows of logits equal; merging the adapter moved them by ${check.distance.toExponential(1)}`,
    );
    return {
      promptTokens: prompt.tokens.length,
      imageTokens: prompt.tokens.filter((id) => id === config.tokens.image).length,
      equalLogProbs,
      sampledTokens: batch.targetIds.length,
      fullStep,
      adapterStep,
      exportedRows: check.rows,
      images: [task.image, tool.image],
      question: task.question,
    };
  } finally {
    model.dispose();
    await rm(directory, { recursive: true, force: true });
  }
}

/** An untrained model writes no program, so every response gets the picture that the example's program made. */
async function sampleTwoTurns(
  model: QwenVLModel,
  processor: Processor,
  prompt: Sequence,
  observation: readonly PromptBlock[],
  seed: number,
) {
  const bannedIds = bannedIdsOf(model.config, processor.tokenizer.size);
  const request = {
    samples: RESPONSES,
    sampling: { temperature: 1, bannedIds },
    seeds: Array.from({ length: RESPONSES }, (_, i) => deriveSeed(seed, "rollout", i)),
    stop: { ids: model.config.tokens.eos, maxTokens: MAX_TOKENS },
  };
  using session = Session.open(model, [prompt]);
  const first = await session.generate(request);
  const observations = await Promise.all(
    first.map(({ nextPosition, reason }) =>
      encodeContinuation(processor, [{ role: "user", content: observation.map(blockContent) }], {
        position: nextPosition,
        closeResponse: reason === "length",
      }),
    ),
  );
  session.append(observations);
  const second = await session.generate(request);
  const responses = first.map((turn, i) =>
    joinSequences([
      { ...turnSequence(turn), target: true },
      { ...observations[i]!, target: false },
      { ...turnSequence(second[i]!), target: true },
    ]),
  );
  return { responses, bannedIds, logProbs: first.flatMap((turn, i) => [...turn.logProbs, ...second[i]!.logProbs]) };
}

async function packedLogProbs(model: QwenVLModel, batch: PackedBatch, bannedIds: readonly number[]): Promise<number[]> {
  const uploaded = model.upload(batch);
  const made = noGrad(() =>
    scope(() => model.logProbs(model.hidden(model.embed(uploaded), uploaded), batch, { bannedIds })),
  );
  const values = [...(await made.logProb.values())];
  made.logProb.dispose();
  made.entropy.dispose();
  model.release(uploaded);
  return values;
}

/** The loss of a batch, one optimizer step on it, and the loss after. */
async function twoLosses(model: QwenVLModel, batch: PackedBatch, learningRate: number): Promise<[number, number]> {
  const optimizer = optimizerOf(trainableParameters(model));
  const losses: number[] = [];
  for (let step = 0; step < 2; step++) {
    using loss = trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), { learningRate });
    losses.push(await loss.item());
  }
  optimizer.dispose();
  return losses as [number, number];
}
