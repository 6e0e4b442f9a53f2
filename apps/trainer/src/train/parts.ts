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
import { createBaseline, createLlmVerifier, type LlmVerdict, type Teacher } from "@iapo/iapo";
import type { BaselineOptions } from "@iapo/iapo/config";
import { DifferentiablePolicy } from "@iapo/qwen-vl-model";
import type { Image } from "@iapo/rollout-trace";
import { openJournal } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { encodePng } from "@iapo/visual-tools/sharp";
import { createChatClient } from "@iapo/vqa-tasks";
import { z } from "zod";
import { modelDirectory, openPolicy } from "../compose/model.ts";
import type { TeacherSettings } from "../config/model.ts";
import type { TrainerConfig } from "../config/schema.ts";
import { modelHash } from "../eval/local-model.ts";

interface Loading {
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** The caller disposes it. */
export async function openTeacher(
  device: Device,
  settings: TeacherSettings,
  loading: Loading,
): Promise<Teacher & { dispose(): void }> {
  const directory = await modelDirectory(settings, loading);
  const policy = await openPolicy(device, { ...settings, recompute: false }, { ...loading, seed: 0, frozen: true });
  const { initialize, dtype, minPixels, maxPixels } = settings;
  const weights = initialize === undefined ? await modelHash(directory) : `random ${initialize}`;
  return {
    model: new DifferentiablePolicy(policy),
    writer: { id: JSON.stringify({ weights, dtype, minPixels, maxPixels }), policy },
    dispose: () => policy.model.dispose(),
  };
}

/** The user's functions; their paths are absolute by now. @throws GrpoError `module` */
export async function userFunctions({ reward, advantage, loss }: GrpoSettings["functions"]): Promise<{
  reward?: RewardFunction;
  advantage?: AdvantageFunction;
  loss?: TensorLoss;
}> {
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
    complete: createChatClient({ ...verifier, ...(apiKey && { apiKey }) }),
    model: verifier.model,
    picture: async (image) => `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`,
    recorded: journal.records,
    record: (verdict) => journal.append(verdict),
  });
  return { ...createBaseline<Image>(options, { advantage, verify }), close: () => journal.close() };
}
