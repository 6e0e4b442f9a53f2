// Trains the nano tokenizer: byte-level BPE on the texts of training charts, written as base/tokenizer.json. A pure function of its constants.
//   node --conditions=@iapo/source packages/nano-vl/scripts/train-tokenizer.ts
import { writeFile } from "node:fs/promises";
import { createEnvironment } from "@iapo/vqa-tasks";
import { caption, copy, createNanoCharts, demonstrate } from "@iapo/vqa-tasks/nano";

const SIZE = 1264;
const SAMPLES = 4000;
/** How often each name counts beside the texts: enough for every one to become a token. */
const NAME_WEIGHT = 400;
/** The roles of Qwen's special tokens, in its order. */
const SPECIAL = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|vision_pad|>",
  "<|image_pad|>",
  "<|video_pad|>",
];
/**
 * Identifiers and capitalized words whole and without the space before them, so that a function is the same token where it is defined and where
 * it is called, and a name the same in a list, in a question and in a program; other words and numbers with their space; runs of punctuation
 * with the spaces around them; line ends.
 */
const PATTERN = String.raw`[\p{L}\p{N}]*_[\p{L}\p{N}_]*|\p{Lu}\p{L}*| ?\p{Ll}\p{L}*|\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}_]+(?: [^\s\p{L}\p{N}_]+)* ?|\s*[\r\n]+|\s+(?!\S)|\s+`;

async function corpus(): Promise<string[]> {
  const charts = await createNanoCharts({ names: "words", quality: { wrongAxis: 0.2, noCall: 0.05, malformed: 0.05 } });
  const texts: string[] = [];
  for (const prompt of ["compact", "full"] as const) {
    const environment = createEnvironment({ options: { prompt } });
    const count = prompt === "compact" ? SAMPLES : 1;
    for (let i = 0; i < count; i++) {
      const { task, turns } = await demonstrate(charts, "train", i);
      const blocks = environment.prompt(task).flatMap((block) => ("text" in block ? [block.text] : []));
      const step = turns.length > 1 ? await environment.step(task, { text: turns[0]! }) : {};
      const observed = (step.next?.blocks ?? []).flatMap((block) => ("text" in block ? [block.text] : []));
      texts.push(...blocks, ...turns, ...observed);
      texts.push((await caption(charts, "train", i)).text);
      const copied = copy(charts, "train", i);
      texts.push(copied.query, copied.text);
    }
  }
  texts.push("user\n", "assistant\n", "system\n"); // what the chat template writes between the special tokens
  return texts;
}

/** Byte to the printable character that stands for it in a byte-level vocabulary. */
function byteCharacters(): string[] {
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : other++));
}

/** Byte-pair encoding: the most frequent pair of neighbors becomes a token, until there are `count` merges. Ties: the pair seen first. */
function learnMerges(pieces: ReadonlyMap<string, number>, count: number): [string, string][] {
  const words = [...pieces].map(([piece, times]) => ({ symbols: [...piece], times }));
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const pairs = new Map<string, number>();
    for (const { symbols, times } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + times);
      }
    }
    let best = "";
    for (const [pair, times] of pairs) if (times > (pairs.get(best) ?? 1)) best = pair;
    if (best === "") break;
    const [left, right] = best.split(" ") as [string, string];
    merges.push([left, right]);
    for (const word of words) {
      for (let i = 0; i + 1 < word.symbols.length; i++) {
        if (word.symbols[i] === left && word.symbols[i + 1] === right) word.symbols.splice(i, 2, left + right);
      }
    }
  }
  return merges;
}

const characters = byteCharacters();
const encode = (text: string): string =>
  Array.from(new TextEncoder().encode(text.normalize("NFC")), (byte) => characters[byte]!).join("");
const pieces = new Map<string, number>();
const count = (text: string, times: number): void => {
  for (const [piece] of text.matchAll(new RegExp(PATTERN, "gu")))
    pieces.set(encode(piece), (pieces.get(encode(piece)) ?? 0) + times);
};
const { names } = await createNanoCharts({ names: "words" });
for (const text of await corpus()) count(text, 1);
for (const name of [...names.train, ...names.validation, ...names.test]) count(name, NAME_WEIGHT);
const merges = learnMerges(pieces, SIZE - SPECIAL.length - characters.length);
const tokens = [...SPECIAL, ...characters, ...merges.map(([left, right]) => left + right)];
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: SPECIAL.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: { type: "NFC" },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [{ type: "Split", pattern: { Regex: PATTERN }, behavior: "Isolated", invert: false }, byteLevel],
  },
  post_processor: byteLevel,
  decoder: byteLevel,
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: merges.map(([left, right]) => `${left} ${right}`),
  },
};
await writeFile(new URL("../base/tokenizer.json", import.meta.url), `${JSON.stringify(tokenizer)}\n`);
console.log(
  `${tokens.length} tokens from ${pieces.size} distinct pieces; the last merge is ${merges.at(-1)?.join(" + ")}`,
);
