// What stands beside GRPO in a configuration: a teacher, a baseline, the user's own functions.

import { join } from "node:path";
import {
  type AdvantageFunction,
  advantageFunction,
  loadFunction,
  type RewardFunction,
  type TensorLoss,
} from "@iapo/grpo";
import type { GrpoSettings } from "@iapo/grpo/config";
import {
  createBaseline,
  createLlmVerifier,
  type LlmVerdict,
  type TeacherWriter,
  type WritingTeacher,
} from "@iapo/iapo";
import type { BaselineOptions } from "@iapo/iapo/config";
import { type DifferentiablePolicy, modelDirectory, QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { Image } from "@iapo/rollout-trace";
import { openJournal } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { visualContent } from "@iapo/vqa-tasks";
import { createChatClient } from "@iapo/vqa-tasks/scoring";
import { z } from "zod";
import type { TrainerConfig } from "../config/schema.ts";
import { modelHash } from "./model-directory.ts";
import { resolveOwnPackages } from "./user-modules.ts";

interface Loading {
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** `recompute`: by default its activations are computed again in the backward pass of its scoring. */
type TeacherSource = ModelSource & { readonly recompute?: boolean };

/** Resident. The caller disposes it. */
export async function openTeacher(
  device: Device,
  source: TeacherSource,
  loading: Loading,
): Promise<WritingTeacher & { dispose(): void }> {
  const { recompute = true } = source;
  const policy = await QwenVLPolicy.load(device, source, { ...loading, recompute, frozen: true });
  return { ...(await teacherOf(policy, source, loading)), dispose: () => policy.model.dispose() };
}

/**
 * On the device only while it is used, and while it is, frozen weights of a student with an adapter are not. It holds nothing in between.
 * `onPhase` hears who is loaded.
 */
export async function openTeacherInTurns(
  student: QwenVLPolicy,
  source: TeacherSource,
  loading: Loading,
): Promise<WritingTeacher & { dispose(): void }> {
  const { onPhase } = loading;
  const { recompute = true } = source;
  const policy = await QwenVLPolicy.load(student.device, source, { ...loading, recompute, residence: "turns" });
  const scoring = async <T>(work: () => Promise<T>): Promise<T> => {
    onPhase?.("load teacher");
    try {
      return await policy.withWeights(() => {
        onPhase?.("teacher");
        return work();
      });
    } finally {
      onPhase?.("load student");
    }
  };
  return {
    ...(await teacherOf(policy, source, loading)),
    async use(work) {
      try {
        return await student.withoutWeights(() => scoring(work));
      } finally {
        onPhase?.("penalty");
      }
    },
    dispose: () => {},
  };
}

async function teacherOf(
  policy: QwenVLPolicy,
  source: ModelSource,
  loading: Loading,
): Promise<{ readonly model: DifferentiablePolicy; readonly writer: TeacherWriter }> {
  const { dtype, minPixels, maxPixels } = source;
  const id = { weights: await weightsName(policy, source, loading), dtype, minPixels, maxPixels };
  return { model: policy.differentiable(), writer: { id: JSON.stringify(id), policy } };
}

/** A planning device asks nothing of the weights, so their files are not read. */
async function weightsName({ model }: QwenVLPolicy, source: ModelSource, loading: Loading): Promise<string> {
  if (source.initialize !== undefined) return `random ${source.initialize}`;
  return model.device.gpu ? modelHash(await modelDirectory(source, loading)) : "planned";
}

/** The user's functions; their paths are absolute by now. @throws GrpoError `module` */
export async function userFunctions({ reward, advantage, loss }: GrpoSettings["functions"]): Promise<{
  reward?: RewardFunction;
  advantage?: AdvantageFunction;
  loss?: TensorLoss;
}> {
  resolveOwnPackages();
  return {
    ...(reward !== undefined && { reward: await loadFunction<RewardFunction>(reward, ".") }),
    ...(advantage !== undefined && { advantage: await loadFunction<AdvantageFunction>(advantage, ".") }),
    ...(loss !== undefined && { loss: await loadFunction<TensorLoss>(loss, ".") }),
  };
}

const verdictSchema: z.ZodType<LlmVerdict> = z.strictObject({
  key: z.string(),
  necessary: z.boolean(),
  correct: z.boolean(),
  reply: z.string(),
});

/** A verifier's verdicts are kept in the run's directory and asked for once. */
export async function openBaseline(
  options: BaselineOptions,
  { grpo, verifier }: Pick<TrainerConfig, "grpo" | "verifier">,
  directory: string,
): Promise<{ reward: RewardFunction; advantage: AdvantageFunction; close(): Promise<void> }> {
  const advantage = advantageFunction(grpo.advantage);
  if (!verifier || options.kind !== "trm" || options.verifier !== "llm") {
    return { ...createBaseline<Image>(options, { advantage }), close: async () => {} };
  }
  const journal = await openJournal(join(directory, "verifier.jsonl"), verdictSchema);
  const apiKey = process.env.IAPO_VERIFIER_KEY;
  const verify = createLlmVerifier<Image>({
    question: ({ task }) => visualContent(task),
    complete: createChatClient({ ...verifier, ...(apiKey && { apiKey }) }),
    model: verifier.model,
    picture: pngDataUrl,
    recorded: journal.records,
    record: (verdict) => journal.append(verdict),
  });
  return { ...createBaseline<Image>(options, { advantage, verify }), close: () => journal.close() };
}
