// Memory that runs out is told with the part of the work that it ran out in, and with what takes less there.
import { isOutOfMemory, TensorError } from "@iapo/tensor-core";

/** Settings with which a part takes less memory. */
const remedies: Readonly<Record<string, string>> = {
  "load the model": "model.dtype: bf16, an adapter (model.lora) in place of training all weights, a smaller model",
  "load teacher": "teacher.dtype: bf16, teacher.residence: turns with an adapter (model.lora), a smaller teacher",
  "load student": "model.dtype: bf16, a smaller teacher",
  rollout: "fewer rollout.samples, shorter turns (rollout.maxTokens)",
  penalty: "teacher.residence: turns, teacher.recompute, model.recompute, fewer rollout.samples",
  teacher: "a smaller update.microBatchTokens, a smaller distillation.topK, teacher.dtype: bf16",
  score: "a smaller update.microBatchTokens",
  update: "a smaller microBatchTokens, model.recompute",
  evaluate: "a smaller rollout.groupsAtOnce, shorter turns (rollout.maxTokens)",
};

/** Errors that have their part: of parts within parts it is the inner one. */
const told = new WeakSet<Error>();

/** The error to throw where a part fails: `out_of_memory` with the part and advice where memory ran out in it, else the error itself. */
export function failureOfPart(part: string, error: unknown): unknown {
  if (!(error instanceof Error && isOutOfMemory(error)) || told.has(error)) return error;
  const remedy = remedies[part];
  const advice = remedy === undefined ? "" : ` What takes less here: ${remedy}; iapo plan shows how much.`;
  const named = new TensorError("out_of_memory", `${part}: ${error.message}${advice}`, { cause: error });
  told.add(named);
  return named;
}
