// Prompts, and what a model of ours says of them, in the form that both sides compare.
import { packGroups, type QwenVLModel, type Sequence, Session } from "@iapo/qwen-vl-model";
import { gatherRows, linear, noGrad, RowIndex, scope } from "@iapo/tensor-core";
import { packed } from "./python.ts";

/** A prompt for python/models.py: ids and patches, one frame of a still image; positions are left to the other side. */
export function probeOf(sequence: Sequence) {
  return {
    ids: [...sequence.tokens],
    grids: sequence.images.map(({ grid }) => [...grid]),
    frames: sequence.images[0]?.frames ?? 1,
    patches: sequence.images.map(({ values }) => packed(values)),
  };
}

/** Logits of the last `rows` rows, or of all. */
export async function logitsOf(
  model: QwenVLModel,
  prompt: Sequence,
  rows = prompt.tokens.length,
): Promise<Float32Array> {
  const uploaded = model.upload(packGroups(model.config, [{ prompt, responses: [] }]));
  const count = prompt.tokens.length;
  using logits = noGrad(() =>
    scope(() => {
      const wanted = Int32Array.from({ length: rows }, (_, i) => count - rows + i);
      const hidden = gatherRows(
        model.hidden(model.embed(uploaded), uploaded),
        RowIndex.of(model.device, wanted, count),
      );
      return linear(hidden, model.head);
    }),
  );
  model.release(uploaded);
  return (await logits.values()) as Float32Array;
}

/** The likeliest tokens, however they go on. */
export async function greedy(model: QwenVLModel, prompt: Sequence, maxTokens: number): Promise<number[]> {
  using session = await Session.open(model, [prompt]);
  const [turn] = await session.generate({
    samples: 1,
    sampling: { temperature: 0 },
    seeds: [[0, 0]],
    stop: { ids: [], maxTokens },
  });
  return [...(turn?.tokens ?? [])];
}
