// Everything that happens to a conversation before the model sees it: template, tokens, blocks, image grids, positions. No GPU code.
import type { RawImage } from "@iapo/rollout-trace";
import type { PreprocessorConfig } from "../config/preprocessor-config.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { familyOf } from "../families/registry.ts";
import { type RenderedPiece, renderBlocks } from "./blocks.ts";
import { ChatTemplate } from "./chat-template.ts";
import { type ImagePatches, processImage } from "./image.ts";
import { type BlockMessage, type ChatBlock, type ChatMessage, checkMessages } from "./messages.ts";
import { ropePositions } from "./positions.ts";
import { type ImageGrid, type ImageSize, imageGrid, imageTokenCount } from "./smart-resize.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A tokenized conversation, or the part that continues one. */
export interface EncodedChat {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Per token the number of its block, -1 for what the template wrote (vision_start and vision_end included). */
  readonly blocks: Int16Array<ArrayBuffer>;
  /** `[tokens, 3]` flattened: time, height, width of each token. */
  readonly positions: Int32Array<ArrayBuffer>;
  /** The position of the token that comes next. */
  readonly nextPosition: number;
  /** One per image, in order. */
  readonly grids: readonly ImageGrid[];
}

export interface ProcessorParts {
  readonly config: QwenVLConfig;
  readonly preprocessor: PreprocessorConfig;
  readonly tokenizer: Tokenizer;
  /** Default that of the family. */
  readonly chatTemplate?: ChatTemplate;
  /** Tokens that end a response; default those of `config`. */
  readonly stopIds?: readonly number[];
}

export class Processor {
  readonly config: QwenVLConfig;
  readonly preprocessor: PreprocessorConfig;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate;
  /** Tokens that end a response, wherever one is sampled, learned or replayed; the first ends a text that is given. */
  readonly stopIds: readonly number[];
  readonly #imageToken: string;

  /** @throws QwenVLError `tokenizer` where tokenizer and configuration do not belong together. */
  constructor({ config, preprocessor, tokenizer, chatTemplate, stopIds }: ProcessorParts) {
    this.config = config;
    this.preprocessor = preprocessor;
    this.tokenizer = tokenizer;
    this.chatTemplate = chatTemplate ?? new ChatTemplate(familyOf(config).chatTemplate);
    this.stopIds = stopIds ?? config.tokens.eos;
    if (tokenizer.size > config.text.vocabSize) {
      throw new QwenVLError(
        "tokenizer",
        `${tokenizer.size} tokens do not fit a vocabulary of ${config.text.vocabSize}`,
      );
    }
    this.#imageToken = textOfSpecial(tokenizer, config.tokens.image);
  }

  /** The grid that an image of this size becomes; needs no pixels. @throws QwenVLError `image`. */
  imageGrid(size: ImageSize): ImageGrid {
    return imageGrid(size, this.preprocessor);
  }

  /** The patches of an image. @throws QwenVLError `image`. */
  processImage(image: RawImage): ImagePatches {
    return processImage(image, this.preprocessor);
  }

  /**
   * Encodes a conversation and opens the assistant's turn. Texts are brought to the tokenizer's normal form (NFC) and are data: only the
   * template writes special tokens. What lies between two special tokens is tokenized whole, as the published processor does; a token
   * belongs to the block of its first byte, so one that merges the template's last newline with a text's first is the template's.
   * @throws QwenVLError `prompt` for what is no conversation; `template` for a template that drops or alters a text; `video`; `image`.
   */
  encodeChat(messages: readonly ChatMessage[]): EncodedChat {
    const prepared = this.#prepare(messages);
    return this.#encodePieces(this.#render(prepared), prepared, 0, 0);
  }

  /**
   * Encodes messages that follow a sampled response, and opens the assistant's next turn. What was sampled is not tokenized again: append
   * these tokens to it. As VTool does, nothing (no newline either) comes between the response's end token and the new turn.
   * @param after.position position of the first new token: that of the response's last token plus 1
   * @param after.firstBlock number of the first new block, default 0
   * @param after.closeResponse writes the end token first, for a response that was cut off before it
   * @throws QwenVLError as `encodeChat`.
   */
  encodeTurn(
    messages: readonly ChatMessage[],
    after: { readonly position: number; readonly firstBlock?: number; readonly closeResponse?: boolean },
  ): EncodedChat {
    const response: BlockMessage[] = [
      { role: "user", content: [{ text: "?" }] },
      { role: "assistant", content: [{ text: "!" }] },
    ];
    const prepared = this.#prepare(messages);
    // Blocks 0 and 1 are the stand-ins for what is already there.
    const pieces = this.#render([...response, ...prepared]);
    const [closing, ...rest] = pieces.slice(pieces.findIndex(({ block }) => block === 1) + 1);
    const [end] = closing === undefined || closing.isData ? [] : this.tokenizer.split(closing.text);
    if (closing === undefined || end?.special === undefined) {
      throw this.chatTemplate.fault("it ends an assistant's turn with no special token");
    }
    const opening = `${after.closeResponse ? end.text : ""}${closing.text.slice(end.text.length).trimStart()}`;
    const own = [{ ...closing, text: opening }, ...rest];
    const numbered = own.map((piece) => ({ ...piece, block: piece.block < 0 ? -1 : piece.block - response.length }));
    return this.#encodePieces(numbered, prepared, after.position, after.firstBlock ?? 0);
  }

  #render(messages: readonly BlockMessage[]): RenderedPiece[] {
    return renderBlocks(this.chatTemplate, messages, this.#imageToken, { addGenerationPrompt: true });
  }

  #prepare(messages: readonly ChatMessage[]): BlockMessage[] {
    const normal = (block: ChatBlock): ChatBlock =>
      "image" in block ? block : { text: this.tokenizer.normalize(block.text.toWellFormed()) };
    return checkMessages(messages).map(({ role, content }) => ({ role, content: content.map(normal) }));
  }

  #encodePieces(
    pieces: readonly RenderedPiece[],
    messages: readonly BlockMessage[],
    position: number,
    firstBlock: number,
  ): EncodedChat {
    const grids = messages
      .flatMap(({ content }) => content)
      .flatMap((block) => ("image" in block ? [this.imageGrid(block.image)] : []));
    const tokens: number[] = [];
    const blocks: number[] = [];
    const cells = grids.map((grid) => imageTokenCount(grid, this.preprocessor.mergeSize)).values();
    for (const { token, block } of this.#tokenize(pieces)) {
      const count = token === this.config.tokens.image ? (cells.next().value ?? 0) : 1;
      for (let i = 0; i < count; i++) {
        tokens.push(token);
        blocks.push(block < 0 ? -1 : block + firstBlock);
      }
    }
    const { positions, next } = ropePositions(tokens, grids, this.config.tokens, this.preprocessor.mergeSize, position);
    return {
      tokens: Int32Array.from(tokens),
      blocks: Int16Array.from(blocks),
      positions,
      nextPosition: next,
      grids,
    };
  }

  /** Tokens of all pieces, each with its block: special ones from the template alone, what lies between them as one text. */
  #tokenize(pieces: readonly RenderedPiece[]): PlacedToken[] {
    const placed: PlacedToken[] = [];
    let between: Stretch[] = [];
    for (const { text, block, isData } of pieces) {
      const parts = isData ? [{ text, special: undefined }] : this.tokenizer.split(this.tokenizer.normalize(text));
      for (const part of parts) {
        if (part.special === undefined) {
          between.push({ text: part.text, block });
          continue;
        }
        for (const token of this.#tokenizeText(between)) placed.push(token); // a text may have more than a call takes arguments
        placed.push({ token: part.special, block });
        between = [];
      }
    }
    return [...placed, ...this.#tokenizeText(between)];
  }

  #tokenizeText(stretches: readonly Stretch[]): PlacedToken[] {
    const encoder = new TextEncoder();
    const ends: { readonly block: number; readonly end: number }[] = [];
    let end = 0;
    for (const { text, block } of stretches) {
      end += encoder.encode(text).length;
      ends.push({ block, end });
    }
    const tokens = this.tokenizer.encodeData(stretches.map(({ text }) => text).join(""));
    let at = 0;
    let current = 0;
    const placed = Array.from(tokens, (token) => {
      while (at >= (ends[current]?.end ?? Number.POSITIVE_INFINITY)) current++;
      at += this.tokenizer.bytes(token).length;
      return { token, block: ends[current]?.block ?? -1 };
    });
    if (at !== end)
      throw new QwenVLError("tokenizer", "the tokens do not cover the text, so blocks cannot be assigned");
    return placed;
  }
}

/** A text between special tokens, or its part of one block. */
type Stretch = Pick<RenderedPiece, "text" | "block">;

interface PlacedToken {
  readonly token: number;
  readonly block: number;
}

function textOfSpecial(tokenizer: Tokenizer, id: number): string {
  for (const [text, token] of tokenizer.specialTokens) if (token === id) return text;
  throw new QwenVLError("tokenizer", `the configuration's image token ${id} is no special token of the tokenizer`);
}
