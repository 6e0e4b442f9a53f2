// Renders typed blocks through a chat template so that every byte of the result is known to come from one block or from the template.
// The template is arbitrary Jinja: it is rendered once with marks in place of the texts, the texts are put where the marks came out, and a
// second rendering with the real texts must give the same string.
import type { ChatTemplate, TemplateMessage } from "./chat-template.ts";
import type { BlockMessage } from "./messages.ts";

/** The rendered string in order, piece by piece. Only what the template wrote can hold special tokens. */
export interface RenderedPiece {
  readonly text: string;
  /** Number of the block, or -1 for what the template wrote around blocks. */
  readonly block: number;
  /** Data, in which a special token is its characters. */
  readonly isData: boolean;
}

// Private-use characters: no template has a reason to write or to change them.
const mark = (block: number): string => `\uE000${block}\uE001`;
const ANY_MARK = /(\uE000\d+\uE001)/;

/**
 * Renders messages to pieces. Blocks are numbered across all messages; the placeholder of the k-th image is given to the k-th image block.
 * @param imageToken the text of the placeholder that the template writes for an image
 * @throws QwenVLError `template` where the template drops, repeats or alters a block.
 */
export function renderBlocks(
  template: ChatTemplate,
  messages: readonly BlockMessage[],
  imageToken: string,
  options: { readonly addGenerationPrompt: boolean },
): RenderedPiece[] {
  const blocks = messages.flatMap(({ content }) => content);
  const images = blocks.flatMap((block, i) => ("image" in block ? [i] : []));
  const marked = template.render(
    templateMessages(messages, (_, block) => mark(block)),
    options,
  );
  const pieces: RenderedPiece[] = [];
  let imagesFound = 0;
  for (const part of marked.split(ANY_MARK)) {
    if (ANY_MARK.test(part)) {
      const number = Number(part.slice(1, -1));
      const block = blocks[number];
      if (block === undefined || "image" in block || pieces.some((piece) => piece.block === number)) {
        throw template.fault(`it repeats the text of block ${number}`);
      }
      pieces.push({ text: block.text, block: number, isData: true });
      continue;
    }
    for (const [i, text] of part.split(imageToken).entries()) {
      if (i > 0) pieces.push({ text: imageToken, block: images[imagesFound++] ?? -1, isData: false });
      if (text !== "") pieces.push({ text, block: -1, isData: false });
    }
  }
  const left = blocks.findIndex(
    (block, number) => "text" in block && block.text !== "" && !pieces.some((piece) => piece.block === number),
  );
  if (left >= 0) throw template.fault(`it leaves out the text of block ${left}`);
  if (imagesFound !== images.length) {
    throw template.fault(`it writes ${imagesFound} images, the conversation has ${images.length}`);
  }
  const rendered = template.render(
    templateMessages(messages, (text) => text),
    options,
  );
  if (pieces.map(({ text }) => text).join("") !== rendered) {
    throw template.fault(
      "it alters the text of a block, so it is not known which tokens are whose; it must write each part's text as it is",
    );
  }
  return pieces;
}

function templateMessages(
  messages: readonly BlockMessage[],
  textOf: (text: string, block: number) => string,
): TemplateMessage[] {
  let block = 0;
  return messages.map(({ role, content }) => ({
    role,
    content: content.map((part) => {
      const number = block++;
      return "image" in part
        ? ({ type: "image" } as const)
        : ({ type: "text", text: textOf(part.text, number) } as const);
    }),
  }));
}
