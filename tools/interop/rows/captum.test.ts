// What a response of the nano model rests on, by ours and by Captum through transformers in float64.
import { attributeBlocks, attributeTokens, type Partition } from "@iapo/attribution";
import { studentDirectory } from "@iapo/nano-vl";
import { DifferentiableQwenVL, encodeConversation, loadModel, Session, turnSequence } from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { expect, test } from "vitest";
import { probeOf } from "../probes.ts";
import { figure, runPython } from "../python.ts";

interface Answer {
  readonly score: number;
  readonly gradient: readonly number[];
  readonly integrated: readonly number[];
  readonly ablated: readonly number[];
}

const STEPS = 24;

test("gradient x input, integrated gradients, occlusion", async () => {
  using device = await openDevice();
  const qwen = await loadModel(device, studentDirectory, { dtype: "f32" });
  const { task } = await (await createNanoCharts({ seed: 3, names: "words" })).chart("test", 1);
  const content = [{ image: task.content.image }, { text: `${task.content.question}\n` }];
  const prompt = await encodeConversation(qwen.processor, [{ role: "user", content }]);
  const turn = await sampled();
  const model = new DifferentiableQwenVL(qwen.model);
  const targets = new Uint8Array(turn.tokens.length).fill(1);
  const group = { prompt, responses: [{ ...turnSequence(turn), targets }] };
  // the template's tokens are a block of their own, so that Captum's mask has each token
  const blocks = Array.from(prompt.blocks, (block) => block + 1);
  const partition: Partition = { names: ["template", "image", "question"], unitOfToken: Int16Array.from(blocks) };
  const theirs = await runPython<Answer>("captum_scores", {
    directory: studentDirectory,
    probe: probeOf(prompt),
    response: [...turn.tokens],
    blocks,
    pad: qwen.model.config.tokens.pad,
    steps: STEPS,
  });

  const [gradient] = await attributeTokens(model, group, { kind: "grad_x_input" });
  const [integrated] = await attributeTokens(model, group, { kind: "ig", baseline: "pad", steps: STEPS });
  const [occluded] = await attributeBlocks(model, group, partition, { kind: "occlusion", baseline: "pad" });
  expect(Math.abs(gradient!.targetLogProb - theirs.score)).toBeLessThan(1e-4);
  for (const [name, ours, expected] of [
    ["gradient x input", gradient!.tokenScores, theirs.gradient],
    ["integrated gradients", integrated!.tokenScores, theirs.integrated],
    ["occlusion", occluded!.blockScores, theirs.ablated],
  ] as const) {
    const unit = expected.reduce((sum, value) => sum + Math.abs(value), 0);
    const error = Math.max(...expected.map((value, i) => Math.abs(value - ours[i]!))) / unit;
    figure(`Captum, ${name}`, error);
    expect(ours).toHaveLength(expected.length);
    expect(error, name).toBeLessThan(1e-4);
  }
  qwen.dispose();

  async function sampled() {
    using session = await Session.open(qwen.model, [prompt]);
    const stop = { ids: qwen.processor.stopIds, maxTokens: 40 };
    const [one] = await session.generate({ samples: 1, sampling: { temperature: 0 }, seeds: [[0, 0]], stop });
    if (!one) throw new Error("nothing was sampled");
    return one;
  }
});
