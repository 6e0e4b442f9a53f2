// What this package asks of a model beyond attribution: it embeds turns as a rollout recorded them. A model fits this structurally.
import type { DifferentiableModel } from "@iapo/attribution";
import type { ImageRef, PromptBlock, Turn } from "@iapo/rollout-trace";

/** A first turn, and which of its tokens are the tool call whose log-probs are explained. */
export interface Call {
  readonly turn: Turn;
  /** [N] 1 for tokens of the call, which are among those that were sampled; 0 for the rest. */
  readonly targets: Uint8Array;
}

/**
 * A model that explains calls. Its input is what was recorded, or what it makes of that by `reread`: calls whose turns share one prompt, responses in the order of the calls. Ids,
 * positions and images are the turns' own; nothing is tokenized again.
 */
export interface AttributionModel extends DifferentiableModel<readonly Call[]> {
  /**
   * Calls to one prompt as this model would have recorded them: its own rendering of the prompt's blocks before the same ids. They are the calls
   * themselves where its rendering is the recorded one. `blocks`: the trace's; those of later turns are left out.
   */
  reread(calls: readonly Call[], blocks: readonly PromptBlock<ImageRef>[]): readonly Call[];
  /** The UTF-8 bytes that a token stands for; none for ids that stand for no token. */
  tokenBytes(id: number): Uint8Array;
}
