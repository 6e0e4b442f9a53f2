// The prompt of a turn, cut into the units that scores are for (docs/method.md F13).
import { type Partition, type PartitionOptions, partition } from "@iapo/attribution/math";
import type { ImageRef, PromptBlock, Turn } from "@iapo/rollout-trace";

/** Units over the tokens before the first sampled one. `blocks`: the trace's; those of later turns are left out. */
export function promptUnits(
  blocks: readonly PromptBlock<ImageRef>[],
  turn: Pick<Turn<ImageRef>, "blocks" | "lossMask">,
  options: PartitionOptions,
): Partition {
  const blockOfToken = turn.blocks.subarray(0, turn.lossMask.indexOf(1));
  const count = blockOfToken.reduce((most, block) => Math.max(most, block), -1) + 1;
  return partition(blocks.slice(0, count), blockOfToken, options);
}

/** What kind of block a unit is made of: `tool` for `tool:focus_on_rows_with_mask`, `context` for `context.2`. */
export function kindOfUnit(name: string): string {
  return name.replace(/[:.].*$/s, "");
}
