/** Everything that happens to a conversation before the model sees it: template, tokens, blocks, image grids, positions. No GPU code. */
import type { RawImage } from "@iapo/rollout-trace";
import type { QwenVLConfig } from "../config/model-config.ts";
import type { PreprocessorConfig } from "../config/preprocessor-config.ts";
import { QwenVLError } from "../error.ts";
import { type ChatBlock, type ChatMessage, type RenderedPiece, renderBlocks } from "./blocks.ts";
import { ChatTemplate } from "./chat-template.ts";
import { type ImagePatches, processImage } from "./image.ts";
import { ropePositions } from "./positions.ts";
import { type ImageGrid, type ImageSize, imageGrid, imageTokenCount } from "./smart-resize.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A tokenized conversation, or the part that continues one. */
export interface EncodedChat {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Per token the number of its block, -1 for what the template wrote (vision_start and vision_end included). */
  readonly blocks: Int16Array<ArrayBuffer>;
  /** `[3, tokens]` flattened: time, height, width. */
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
  readonly chatTemplate?: ChatTemplate;
}

export class Processor {
  readonly config: QwenVLConfig;
  readonly preprocessor: PreprocessorConfig;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate;
  readonly #imageToken: string;

  /** @throws QwenVLError `tokenizer` where tokenizer and configuration do not belong together. */
  constructor({ config, preprocessor, tokenizer, chatTemplate = new ChatTemplate() }: ProcessorParts) {
    this.config = config;
    this.preprocessor = preprocessor;
    this.tokenizer = tokenizer;
    this.chatTemplate = chatTemplate;
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
   * Encodes a conversation and opens the assistant's turn. The rendered string is tokenized once, whole; a token belongs to the block of
   * its first byte. Texts are brought to the tokenizer's normal form (NFC) first.
   * @throws QwenVLError `prompt`: a special token inside a text; `template`: a token that spans two blocks, or a template that drops or alters
   * one; `video`; `image`.
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
    const response: ChatMessage[] = [
      { role: "user", content: [{ text: "?" }] },
      { role: "assistant", content: [{ text: "!" }] },
    ];
    const prepared = this.#prepare(messages);
    // Blocks 0 and 1 are the stand-ins for what is already there.
    const pieces = this.#render([...response, ...prepared]);
    const [closing, ...rest] = pieces.slice(pieces.findIndex(({ block }) => block === 1) + 1);
    const end = [...this.tokenizer.specialTokens.keys()].find(
      (token) => closing?.block === -1 && closing.text.startsWith(token),
    );
    if (closing === undefined || end === undefined) {
      throw new QwenVLError("template", "the chat template ends an assistant's turn with no special token");
    }
    const opening = {
      text: `${after.closeResponse ? end : ""}${closing.text.slice(end.length).trimStart()}`,
      block: -1,
    };
    const own = [opening, ...rest].map(({ text, block }) => ({ text, block: block < 0 ? -1 : block - 2 }));
    return this.#encodePieces(own, prepared, after.position, after.firstBlock ?? 0);
  }

  #render(messages: readonly ChatMessage[]): RenderedPiece[] {
    return renderBlocks(this.chatTemplate, messages, this.#imageToken, { addGenerationPrompt: true });
  }

  /** Texts in normal form, free of special tokens: those would be read as structure. */
  #prepare(messages: readonly ChatMessage[]): ChatMessage[] {
    return messages.map(({ role, content }) => ({ role, content: content.map((block) => this.#prepareBlock(block)) }));
  }

  #prepareBlock(block: ChatBlock): ChatBlock {
    if ("video" in block) throw new QwenVLError("video", "a conversation holds a video: video is not supported");
    if ("image" in block) return block;
    const text = this.tokenizer.normalize(block.text.toWellFormed());
    for (const special of this.tokenizer.specialTokens.keys()) {
      if (text.includes(special)) {
        throw new QwenVLError(
          "prompt",
          `a text holds the special token ${special}, which the model would take for structure; remove it`,
        );
      }
    }
    return { text };
  }

  #encodePieces(
    pieces: readonly RenderedPiece[],
    messages: readonly ChatMessage[],
    position: number,
    firstBlock: number,
  ): EncodedChat {
    const grids = messages
      .flatMap(({ content }) => content)
      .flatMap((block) => ("image" in block ? [this.imageGrid(block.image)] : []));
    const tokens: number[] = [];
    const blocks: number[] = [];
    let image = 0;
    for (const { token, block } of this.#tokenize(pieces)) {
      const count =
        token === this.config.tokens.image ? imageTokenCount(grids[image++]!, this.preprocessor.mergeSize) : 1;
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

  /** Tokens of the whole string, each with the block of its first byte. */
  #tokenize(pieces: readonly RenderedPiece[]): { token: number; block: number }[] {
    const text = pieces.map((piece) => piece.text).join("");
    const encoder = new TextEncoder();
    const lengths = pieces.map((piece) => encoder.encode(piece.text).length);
    let piece = 0;
    let pieceEnd = lengths[0] ?? 0;
    let at = 0;
    const placed = Array.from(this.tokenizer.encode(text), (token) => {
      while (at >= pieceEnd && piece + 1 < pieces.length) pieceEnd += lengths[++piece]!;
      at += this.tokenizer.bytes(token).length;
      const { block } = pieces[piece]!;
      if (at > pieceEnd) {
        const content = JSON.stringify(this.tokenizer.decode([token]));
        throw new QwenVLError(
          "template",
          `token ${content} spans the end of block ${block}; let the text of a block end in a newline`,
        );
      }
      return { token, block };
    });
    if (at !== lengths.reduce((sum, length) => sum + length, 0)) {
      throw new QwenVLError("tokenizer", "the tokens do not cover the text, so blocks cannot be assigned");
    }
    return placed;
  }
}

function textOfSpecial(tokenizer: Tokenizer, id: number): string {
  for (const [text, token] of tokenizer.specialTokens) if (token === id) return text;
  throw new QwenVLError("tokenizer", `the configuration's image token ${id} is no special token of the tokenizer`);
}
