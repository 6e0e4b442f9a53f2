// The model of a policy as attribution sees it, with recorded turns for input: their ids, positions and images, packed as for an update.
// @iapo/iapo states the interface; this fits it.
import type { Turn } from "@iapo/rollout-trace";
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
    if (turns.some(({ turn }) => turn.lossMask.indexOf(1) !== start)) {
      throw new QwenVLError("prompt", "turns that are attributed together need the same prompt");
    }
    const responses = group.responses.map((response, i) => ({
      ...response,
      targets: at(turns, i).targets.subarray(start),
    }));
    return { ...group, responses };
  }
}
