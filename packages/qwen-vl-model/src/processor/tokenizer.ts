// Text to token ids and back: `@huggingface/tokenizers` on a local `tokenizer.json`, and the bytes of every token.
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { isObject, validate } from "../config/json-file.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { withDeadline } from "./deadline.ts";
import { Recent } from "./recent.ts";

type Vocabulary = Readonly<Record<string, number>>;

/** By hand: 150,000 entries take a schema library longer than all the rest. */
function isVocabulary(value: unknown): value is Vocabulary {
  return isObject(value) && Object.values(value).every((id) => Number.isSafeInteger(id) && (id as number) >= 0);
}

/** As old and as new files have them. */
function areMerges(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const isPair = (merge: unknown): boolean =>
    Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string");
  return value.every((merge) => typeof merge === "string") || value.every(isPair);
}

const byteLevel = z.object({ type: z.literal("ByteLevel", { error: "only byte-level tokenizers are supported" }) });

const schema = z.object({
  model: z.object({
    type: z.literal("BPE"),
    vocab: z.custom<Vocabulary>(isVocabulary, { error: "expected token ids by token" }),
    merges: z.custom<unknown>(areMerges, {
      error: "expected a list of pairs, or of texts with a blank between their parts",
    }),
  }),
  decoder: z.union([byteLevel, z.object({ type: z.literal("Sequence"), decoders: z.tuple([byteLevel]) })], {
    error: "expected ByteLevel: only byte-level tokenizers are supported",
  }),
  added_tokens: z.array(z.object({ id: z.int().min(0), content: z.string().min(1), special: z.boolean() })).default([]),
});

/** The byte that each character of a byte-level vocabulary stands for: printable Latin-1 for itself, the others from 256 on. */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  const map = new Map<string, number>();
  let other = 256;
  for (let byte = 0; byte < 256; byte++) map.set(String.fromCodePoint(printable(byte) ? byte : other++), byte);
  return map;
})();

/** For a text of any length that a model can read; 100,000 characters take a second. */
const DEADLINE = 4000;

/** A byte-level BPE tokenizer. Nothing is prepended or appended to what is encoded. */
export class Tokenizer {
  /** Ids from here on are padding rows of the embedding: no text produces them, and sampling must not. */
  readonly size: number;
  /** Tokens that stand for structure, not text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #addedTokens: ReadonlyMap<number, { readonly content: string; readonly special: boolean }>;
  readonly #bytes = new Map<number, Uint8Array>();
  /** Each is a script with a watchdog of its own, which takes longer than a short text does. */
  readonly #encoded = new Recent((text) => this.#encode(text));
  /** Added tokens that are words of the vocabulary, not structure. */
  readonly #words: Splitter;
  readonly #structure: Splitter;

  /**
   * @param json the content of `tokenizer.json`
   * @throws QwenVLError `tokenizer` or `config`.
   */
  constructor(json: unknown, file = "tokenizer.json") {
    const { model, added_tokens } = validate(schema, json, file);
    try {
      this.#tokenizer = new HuggingFaceTokenizer(json as object, {});
    } catch (cause) {
      throw new QwenVLError("tokenizer", `${file}: ${reasonOf(cause)}`, { cause });
    }
    this.#addedTokens = new Map(added_tokens.map((token) => [token.id, token]));
    this.specialTokens = new Map(added_tokens.filter(({ special }) => special).map(({ content, id }) => [content, id]));
    this.#structure = splitterAt(this.specialTokens);
    this.#words = splitterAt(
      new Map(added_tokens.filter(({ special }) => !special).map(({ content, id }) => [content, id])),
    );
    this.size =
      1 +
      lastOf(
        idsOnce(
          [...Object.entries(model.vocab), ...added_tokens.map(({ content, id }) => [content, id] as const)],
          file,
        ),
      );
  }

  /** Token ids; special tokens within the text are recognized. @throws QwenVLError `prompt` as `encodeData` */
  encode(text: string): Int32Array<ArrayBuffer> {
    return Int32Array.from(
      this.split(this.normalize(text)).flatMap(({ text, special }) => special ?? [...this.encodeData(text)]),
    );
  }

  /** The text cut at its special tokens. */
  split(text: string): { readonly text: string; readonly special: number | undefined }[] {
    return this.#structure(text).map(({ text, id }) => ({ text, special: id }));
  }

  /**
   * Token ids of text that is data, in the tokenizer's normal form: a special token that is spelled out in it is its characters.
   * @throws QwenVLError `prompt` for a text on which the checkpoint's pattern takes longer than four seconds, `tokenizer` for a vocabulary that cannot
   * write it
   */
  encodeData(text: string): Int32Array<ArrayBuffer> {
    return this.#encoded.get(text).slice();
  }

  #encode(text: string): Int32Array<ArrayBuffer> {
    const { pre_tokenizer, model } = this.#tokenizer;
    const encoded = withDeadline(DEADLINE, "prompt", `tokenizing a text of ${text.length} characters`, () =>
      this.#words(text).flatMap(({ text, id }) => {
        if (id !== undefined) return id;
        const words = pre_tokenizer?.pre_tokenize(text) ?? [text];
        return model?.encode(words).map((token: string) => model.tokens_to_ids.get(token)) ?? [];
      }),
    );
    return Int32Array.from(encoded, (id) => {
      if (id === undefined) throw new QwenVLError("tokenizer", "the vocabulary lacks a token for one of the 256 bytes");
      if (this.#addedTokens.get(id)?.special)
        throw new QwenVLError("tokenizer", `the vocabulary merges text into the special token ${id}`);
      return id;
    });
  }

  /** The form in which text is tokenized, and which `decode` gives back: NFC for Qwen. */
  normalize(text: string): string {
    return this.#tokenizer.normalizer?.normalize(text) ?? text;
  }

  /** The UTF-8 bytes a token stands for; part of a character is possible. Empty for ids that stand for no token. */
  bytes(id: number): Uint8Array {
    let bytes = this.#bytes.get(id);
    if (bytes === undefined) {
      const text = this.#addedTokens.get(id)?.content;
      bytes = text === undefined ? bytesOf(this.#tokenizer.id_to_token(id) ?? "") : new TextEncoder().encode(text);
      this.#bytes.set(id, bytes);
    }
    return bytes;
  }

  /** The text of token ids; bytes that are no UTF-8 become U+FFFD, ids that stand for no token nothing. */
  decode(ids: ArrayLike<number>, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    const decoder = this.streamingDecoder(options);
    let text = "";
    for (const id of Array.from(ids)) text += decoder.push(id);
    return text + decoder.end();
  }

  /** Decodes token by token: what is returned is text that no later token can change. */
  streamingDecoder(options: { readonly skipSpecialTokens?: boolean } = {}): {
    push(id: number): string;
    end(): string;
  } {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => {
        if (options.skipSpecialTokens && this.#addedTokens.get(id)?.special) return "";
        return decoder.decode(this.bytes(id), { stream: true });
      },
      end: () => decoder.decode(),
    };
  }
}

/** Tokens by id. @throws QwenVLError `tokenizer` where an id is of two tokens, one of which no text would give back */
function idsOnce(tokens: readonly (readonly [token: string, id: number])[], file: string): ReadonlyMap<number, string> {
  const byId = new Map<number, string>();
  for (const [token, id] of tokens) {
    const other = byId.get(id) ?? token;
    if (other !== token) {
      const both = [other, token].map((text) => JSON.stringify(text.slice(0, 100))).join(" and ");
      throw new QwenVLError("tokenizer", `${file}: the id ${id} is of two tokens, ${both}`);
    }
    byId.set(id, token);
  }
  return byId;
}

function lastOf(tokens: ReadonlyMap<number, string>): number {
  let last = -1;
  for (const id of tokens.keys()) last = Math.max(last, id);
  return last;
}

type Splitter = (text: string) => { readonly text: string; readonly id: number | undefined }[];

/** Cuts a text at tokens, the longest where several begin. */
function splitterAt(tokens: ReadonlyMap<string, number>): Splitter {
  if (tokens.size === 0) return (text) => (text === "" ? [] : [{ text, id: undefined }]);
  const escaped = [...tokens.keys()]
    .sort((a, b) => b.length - a.length)
    .map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const pattern = new RegExp(`(${escaped.join("|")})`);
  return (text) =>
    text
      .split(pattern)
      .flatMap((text, i) => (text === "" ? [] : [{ text, id: i % 2 === 1 ? tokens.get(text) : undefined }]));
}

function bytesOf(token: string): Uint8Array {
  return Uint8Array.from(Array.from(token), (character) => {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) throw new QwenVLError("tokenizer", `token ${JSON.stringify(token)} is not byte-level`);
    return byte;
  });
}
