// `generation_config.json`: what a checkpoint recommends for sampling.
import { z } from "zod";
import { isObject, type JsonObject, readJsonFile, validate } from "./json-file.ts";

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
  /** Settings that change what is generated and that this package does not have, as `name: value`. */
  readonly unsupported: readonly string[];
}

/** Of each further setting that would choose other tokens, what leaves it off. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  num_beam_groups: [1],
  penalty_alpha: [0],
  min_p: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  encoder_repetition_penalty: [1],
  no_repeat_ngram_size: [0],
  bad_words_ids: [],
  sequence_bias: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  exponential_decay_length_penalty: [],
  min_length: [0],
  min_new_tokens: [0],
  stop_strings: [],
  guidance_scale: [1],
  watermarking_config: [],
};

function unsupportedIn(json: JsonObject): string[] {
  return Object.entries(json).flatMap(([name, value]) => {
    const neutral = NEUTRAL[name];
    const isOff = value === null || value === false || (Array.isArray(value) && value.length === 0);
    if (neutral === undefined || isOff || neutral.includes(value)) return [];
    return [`${name}: ${JSON.stringify(value).slice(0, 80)}`];
  });
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
    unsupported: isObject(json) ? unsupportedIn(json) : [],
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
