// What a way of comparing the responses of a group is made of.
import type { AdvantageScale } from "../math/advantages.ts";
import type { Numbers } from "../math/batch.ts";

export interface AdvantageSettings {
  readonly scale: AdvantageScale;
  /** Added to the deviation that divides. */
  readonly epsilon: number;
}

export interface AdvantageDefinition<Kind extends string> {
  readonly kind: Kind;
  /** In Markdown, of the rewards r of a group. */
  readonly formula: string;
  readonly source: string;
  /**
   * [R] advantages of R responses, whose prompts `groups` tells. A reward of NaN counts nowhere and gets 0; so do a lone response and the
   * responses of a group whose rewards are all equal.
   */
  advantages(rewards: Numbers, groups: Numbers, settings: AdvantageSettings): Float64Array;
}

export function defineAdvantage<const Kind extends string>(
  definition: AdvantageDefinition<Kind>,
): AdvantageDefinition<Kind> {
  return definition;
}
