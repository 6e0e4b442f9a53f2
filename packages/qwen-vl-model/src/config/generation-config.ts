// `generation_config.json`: what a checkpoint recommends for sampling.
import { z } from "zod";
import { readJsonFile, validate } from "./json-file.ts";

/** A field that the file leaves out is `undefined`. */
export interface GenerationConfig {
  /** Tokens that end a response; empty where the file names none. */
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | undefined;
  readonly doSample: boolean | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly repetitionPenalty: number | undefined;
  readonly maxNewTokens: number | undefined;
}

const tokenId = z
  .int()
  .min(0)
  .max(2 ** 24);
const schema = z.object({
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  pad_token_id: z.int().nullish(),
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(-1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  max_new_tokens: z.int().min(1).nullish(),
});

/** @throws QwenVLError `config`, naming file and field. */
export function parseGenerationConfig(json: unknown, file = "generation_config.json"): GenerationConfig {
  const raw = validate(schema, json, file);
  return {
    eosTokenIds: [raw.eos_token_id ?? []].flat(),
    padTokenId: raw.pad_token_id ?? undefined,
    doSample: raw.do_sample ?? undefined,
    temperature: raw.temperature ?? undefined,
    ...truncation(raw),
    repetitionPenalty: raw.repetition_penalty ?? undefined,
    maxNewTokens: raw.max_new_tokens ?? undefined,
  };
}

/** -1 (vLLM) and 0 (transformers) keep all ids; a `top_p` of 0 keeps the likeliest id alone, as transformers has it. */
function truncation({ top_k, top_p }: z.infer<typeof schema>): Pick<GenerationConfig, "topK" | "topP"> {
  if (top_p === 0) return { topK: 1, topP: undefined };
  return { topK: top_k && top_k > 0 ? top_k : undefined, topP: top_p ?? undefined };
}

/** Reads `generation_config.json` of a directory; without the file nothing is recommended. @throws QwenVLError */
export async function loadGenerationConfig(directory: string): Promise<GenerationConfig> {
  const file = `${directory}/generation_config.json`;
  return parseGenerationConfig((await readJsonFile(file)) ?? {}, file);
}
