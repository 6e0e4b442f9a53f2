// The four published dense sizes of Qwen3-VL, and the two small shapes that tests use.
import { parseConfig, type Qwen3Config } from "./config.ts";

interface Shape {
  /** Hidden size, layers, heads, key and value heads, intermediate size. */
  readonly text: readonly [hidden: number, layers: number, heads: number, keyValueHeads: number, intermediate: number];
  readonly tied: boolean;
  readonly vision: Readonly<Record<string, unknown>>;
}

const small = { depth: 24, hidden_size: 1024, intermediate_size: 4096, deepstack_visual_indexes: [5, 11, 17] };
const large = { depth: 27, hidden_size: 1152, intermediate_size: 4304, deepstack_visual_indexes: [8, 16, 24] };

function config(
  [hidden, layers, heads, keyValueHeads, intermediate]: Shape["text"],
  more: Readonly<Record<string, unknown>>,
  root: Readonly<Record<string, unknown>>,
  vision: Readonly<Record<string, unknown>>,
): Qwen3Config {
  return parseConfig({
    model_type: "qwen3_vl",
    ...root,
    text_config: {
      hidden_size: hidden,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: keyValueHeads,
      intermediate_size: intermediate,
      rms_norm_eps: 1e-6,
      ...more,
    },
    vision_config: { ...vision, out_hidden_size: hidden },
  });
}

function published({ text, tied, vision }: Shape): Qwen3Config {
  const decoder = {
    head_dim: 128,
    vocab_size: 151_936,
    rope_theta: 5e6,
    rope_scaling: { rope_type: "default", mrope_interleaved: true, mrope_section: [24, 20, 20] },
    max_position_embeddings: 262_144,
  };
  const tokens = { bos_token_id: 151_643, eos_token_id: 151_645, pad_token_id: 151_643 };
  return config(text, { ...decoder, ...tokens }, { tie_word_embeddings: tied }, vision);
}

const smallRoot = {
  dtype: "float32",
  vision_start_token_id: 5,
  vision_end_token_id: 6,
  image_token_id: 7,
  video_token_id: 8,
};
const smallTokens = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 0, max_position_embeddings: 512 };

/** Configurations by name. */
export const knownConfigs: Readonly<
  Record<
    "qwen3-vl-2B" | "qwen3-vl-4B" | "qwen3-vl-8B" | "qwen3-vl-32B" | "qwen3-vl-mini" | "qwen3-vl-nano",
    Qwen3Config
  >
> = {
  "qwen3-vl-2B": published({ text: [2048, 28, 16, 8, 6144], tied: true, vision: small }),
  "qwen3-vl-4B": published({ text: [2560, 36, 32, 8, 9728], tied: true, vision: small }),
  "qwen3-vl-8B": published({ text: [4096, 36, 32, 8, 12_288], tied: false, vision: large }),
  "qwen3-vl-32B": published({ text: [5120, 64, 64, 8, 25_600], tied: false, vision: large }),
  "qwen3-vl-mini": config(
    [96, 4, 2, 1, 160],
    {
      ...smallTokens,
      head_dim: 128,
      vocab_size: 600,
      rope_theta: 5e6,
      rope_scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20] },
    },
    { ...smallRoot, tie_word_embeddings: false },
    { depth: 6, hidden_size: 144, num_heads: 2, intermediate_size: 268, deepstack_visual_indexes: [1, 3, 4] },
  ),
  "qwen3-vl-nano": config(
    [48, 5, 4, 2, 80],
    {
      ...smallTokens,
      head_dim: 16,
      vocab_size: 512,
      rope_theta: 1e4,
      rope_scaling: { mrope_interleaved: true, mrope_section: [4, 2, 2] },
    },
    { ...smallRoot, tie_word_embeddings: true },
    {
      depth: 4,
      hidden_size: 36,
      num_heads: 3,
      intermediate_size: 52,
      patch_size: 4,
      num_position_embeddings: 36,
      deepstack_visual_indexes: [0, 1, 3],
    },
  ),
};
