// A tokenizer without training: for tests that need text and no vocabulary of Qwen's size.

/** The smallest byte-level tokenizer: the special tokens of nano at its ids, then one token a byte. */
export function byteTokenizer(): unknown {
  const names = ["endoftext", "im_end", "im_start", "a", "b", "vision_start", "vision_end", "image_pad", "video_pad"];
  const added_tokens = names.map((name, id) => ({ id, content: `<|${name}|>`, special: true, normalized: false }));
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let other = 256;
  const characters = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : other++));
  const vocab = Object.fromEntries(characters.map((character, byte) => [character, names.length + byte]));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const model = { type: "BPE", vocab, merges: [], ignore_merges: false };
  return {
    version: "1.0",
    added_tokens,
    normalizer: null,
    post_processor: null,
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
    model,
  };
}
