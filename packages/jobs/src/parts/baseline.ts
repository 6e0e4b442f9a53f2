// The baseline of a configuration, with a verifier where it has one.
import { join } from "node:path";
import { advantageFunction, type RewardFunction, type TurnAdvantageFunction } from "@iapo/grpo";
import { createBaseline, createLlmVerifier, type LlmVerdict } from "@iapo/iapo";
import type { BaselineOptions } from "@iapo/iapo/config";
import type { Image } from "@iapo/rollout-trace";
import { openJournal } from "@iapo/rollout-trace/files";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { visualContent } from "@iapo/vqa-tasks";
import { createChatClient } from "@iapo/vqa-tasks/scoring";
import { z } from "zod";
import type { JobConfig } from "../config/schema.ts";

const verdictSchema: z.ZodType<LlmVerdict> = z.strictObject({
  key: z.string(),
  necessary: z.boolean(),
  correct: z.boolean(),
  reply: z.string(),
});

/** A verifier's verdicts are kept in the run's directory and asked for once. */
export async function openBaseline(
  options: BaselineOptions,
  { grpo, verifier }: Pick<JobConfig, "grpo" | "verifier">,
  directory: string,
): Promise<{ reward: RewardFunction; advantage: TurnAdvantageFunction; close(): Promise<void> }> {
  const advantage = advantageFunction(grpo.advantage);
  if (!verifier || options.kind !== "trm" || options.verifier !== "llm") {
    return { ...createBaseline<Image>(options, { advantage }), close: async () => {} };
  }
  const journal = await openJournal(join(directory, "verifier.jsonl"), verdictSchema);
  const apiKey = process.env.IAPO_VERIFIER_KEY;
  const client = createChatClient({ ...verifier, ...(apiKey && { apiKey }) });
  const verify = createLlmVerifier<Image>({
    question: ({ task }) => visualContent(task),
    complete: (messages) => client(messages, { whole: true }),
    model: verifier.model,
    picture: pngDataUrl,
    recorded: journal.records,
    record: (verdict) => journal.append(verdict),
  });
  return { ...createBaseline<Image>(options, { advantage, verify }), close: () => journal.close() };
}
