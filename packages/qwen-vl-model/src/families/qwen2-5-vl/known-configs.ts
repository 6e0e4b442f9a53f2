// The four published sizes (model cards and `config.json` of Qwen2.5-VL) and the two small shapes that tests and demos use.
import { parseConfig, type Qwen25Config } from "./config.ts";

const publishedTokens = { bos_token_id: 151643, eos_token_id: 151645, pad_token_id: 151643 };
const smallTokens = {
  bos_token_id: 0,
  eos_token_id: 1,
  pad_token_id: 0,
  vision_start_token_id: 5,
  vision_end_token_id: 6,
  image_token_id: 7,
  video_token_id: 8,
};

function published(
  [hidden, layers, heads, keyValueHeads, intermediate, vocab]: [number, number, number, number, number, number],
  visionIntermediate: number,
  tied: boolean,
): Qwen25Config {
  return parseConfig({
    model_type: "qwen2_5_vl",
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    intermediate_size: intermediate,
    vocab_size: vocab,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
    max_position_embeddings: 128_000,
    tie_word_embeddings: tied,
    ...publishedTokens,
    vision_config: { hidden_size: 1280, intermediate_size: visionIntermediate, out_hidden_size: hidden },
  });
}

/** Configurations by name; the small ones hold random weights only where somebody trains them. */
export const knownConfigs: Readonly<Record<"3B" | "7B" | "32B" | "72B" | "mini" | "nano", Qwen25Config>> = {
  "3B": published([2048, 36, 16, 2, 11008, 151936], 3420, true),
  "7B": published([3584, 28, 28, 4, 18944, 152064], 3420, false),
  "32B": published([5120, 64, 40, 8, 27648, 152064], 3456, false),
  "72B": published([8192, 80, 64, 8, 29568, 152064], 3456, false),
  mini: parseConfig({
    model_type: "qwen2_5_vl",
    hidden_size: 192,
    num_hidden_layers: 5,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    intermediate_size: 512,
    vocab_size: 2048,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: { type: "mrope", mrope_section: [4, 6, 6] },
    max_position_embeddings: 4096,
    torch_dtype: "float32",
    ...smallTokens,
    vision_config: {
      depth: 8,
      hidden_size: 128,
      num_heads: 4,
      intermediate_size: 340,
      out_hidden_size: 192,
      fullatt_block_indexes: [3, 7],
    },
  }),
  nano: parseConfig({
    model_type: "qwen2_5_vl",
    hidden_size: 64,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 144,
    vocab_size: 512,
    rms_norm_eps: 1e-6,
    rope_theta: 1e4,
    rope_scaling: { type: "mrope", mrope_section: [2, 3, 3] },
    max_position_embeddings: 512,
    tie_word_embeddings: true,
    torch_dtype: "float32",
    ...smallTokens,
    vision_config: {
      depth: 4,
      hidden_size: 48,
      num_heads: 4,
      intermediate_size: 84,
      out_hidden_size: 64,
      patch_size: 4,
      window_size: 32,
      fullatt_block_indexes: [1, 3],
    },
  }),
};
