// The model of a policy as attribution sees it, with recorded turns for input: their ids, positions and images, packed as for an update.
// @iapo/iapo states the interface; this fits it.
import type { Image, ImageRef, PromptBlock, Turn } from "@iapo/rollout-trace";
import type { Device, Tensor } from "@iapo/tensor-core";
import { at } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import type { PromptGroup } from "../model/pack.ts";
import { imagesOf } from "../policy/image-store.ts";
import type { QwenVLPolicy } from "../policy/policy.ts";
import { packTraces } from "../policy/traces.ts";
import {
  type DifferentiableOptions,
  DifferentiableQwenVL,
  type EmbeddedGroup,
  type GroupStates,
  type GroupVariant,
} from "./differentiable.ts";

/** A first turn and the tokens whose log-probs are explained: `targets` [N] is 1 for them, 0 for the rest. */
export interface TargetedTurn {
  readonly turn: Turn;
  readonly targets: Uint8Array;
}

export class DifferentiablePolicy {
  readonly #policy: QwenVLPolicy;
  readonly #model: DifferentiableQwenVL;

  constructor(policy: QwenVLPolicy, options: DifferentiableOptions = {}) {
    this.#policy = policy;
    this.#model = new DifferentiableQwenVL(policy.model, options);
  }

  get device(): Device {
    return this.#model.device;
  }

  tokenBytes(id: number): Uint8Array {
    return this.#policy.processor.tokenizer.bytes(id);
  }

  /**
   * Turns of one prompt as this model would have recorded them: its own rendering of the prompt's `blocks` before the same ids. They are the turns
   * themselves where that rendering is the recorded one.
   * @throws QwenVLError `prompt` unless the turns share one prompt, `image` for an image block whose picture they do not hold; as `Processor.encodeChat`
   */
  reread(turns: readonly TargetedTurn[], blocks: readonly PromptBlock<ImageRef>[]): readonly TargetedTurn[] {
    const [first] = turns;
    if (!first) return turns;
    const start = first.turn.lossMask.indexOf(1);
    const recorded = first.turn.tokens.subarray(0, start);
    if (turns.some(({ turn }) => turn.lossMask.indexOf(1) !== start || recorded.some((id, i) => turn.tokens[i] !== id)))
      throw otherPrompts();
    const input = { freshPrompt: true, blocks: promptBlocks(first.turn, start, blocks) };
    const own = this.#policy.render(input, new Int32Array(0));
    if (isRecorded(own, first.turn, start)) return turns;
    return turns.map(({ turn, targets }) => {
      const rendered = this.#policy.render(input, turn.tokens.subarray(start));
      const moved = new Uint8Array(rendered.tokens.length);
      moved.set(targets.subarray(start), own.tokens.length);
      return { turn: rendered, targets: moved };
    });
  }

  /** @throws QwenVLError `prompt` unless the turns share one prompt, `image` where this model's processor makes other patches, as `packTraces` */
  embed(turns: readonly TargetedTurn[]): EmbeddedGroup {
    return this.#model.embed(this.#groupOf(turns));
  }

  prefill(variants: readonly GroupVariant[], whole?: GroupStates): GroupStates {
    return this.#model.prefill(variants, whole);
  }

  score(states: GroupStates, wanted?: readonly number[]): Tensor {
    return this.#model.score(states, wanted);
  }

  #groupOf(turns: readonly TargetedTurn[]): PromptGroup {
    const { model, images } = this.#policy;
    const all = turns.map(({ turn }) => turn);
    const traces = all.map((turn) => ({ turns: [turn] }));
    const group = at(packTraces([traces], imagesOf(images, all), model.config.tokens.image).groups, 0);
    const start = group.prompt.tokens.length;
    if (turns.some(({ turn }) => turn.lossMask.indexOf(1) !== start)) throw otherPrompts();
    const responses = group.responses.map((response, i) => ({
      ...response,
      targets: at(turns, i).targets.subarray(start),
    }));
    return { ...group, responses };
  }
}

function otherPrompts(): QwenVLError {
  return new QwenVLError("prompt", "turns that are attributed together need the same prompt");
}

/** The blocks of a turn's prompt, with the turn's pictures; those of later turns are left out. */
function promptBlocks(
  { blocks: blockOfToken, images }: Turn,
  start: number,
  blocks: readonly PromptBlock<ImageRef>[],
): PromptBlock[] {
  const count = blockOfToken.subarray(0, start).reduce((most, block) => Math.max(most, block), -1) + 1;
  return blocks.slice(0, count).map((block): PromptBlock => {
    if (block.kind !== "image") return block;
    const image: Image | undefined = images.find(({ id }) => id === block.image.id);
    if (image) return { ...block, image };
    throw new QwenVLError("image", `the turn does not hold the picture ${block.image.id} of its block ${block.id}`);
  });
}

/** Whether the first `start` tokens of `turn` are those of `prompt`, at its positions, with its patches. */
function isRecorded(prompt: Turn, turn: Turn, start: number): boolean {
  const isSame = (own: ArrayLike<unknown> | undefined, other: ArrayLike<unknown> | undefined): boolean =>
    own === undefined ||
    other === undefined ||
    (own.length === other.length && Array.from(own).every((value, i) => value === other[i]));
  return (
    isSame(prompt.tokens, turn.tokens.subarray(0, start)) &&
    isSame(prompt.positions, turn.positions?.subarray(0, 3 * start)) &&
    isSame(prompt.patches, turn.patches)
  );
}
