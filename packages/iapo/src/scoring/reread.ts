// A student's calls as its teacher reads them: a teacher of another family renders the same prompt, block by block, to tokens of its own, and the
// ids of the call stay what they are (docs/method.md F12 a).
import type { PartitionOptions } from "@iapo/attribution/math";
import type { ImageRef, PromptBlock } from "@iapo/rollout-trace";
import { IapoError } from "../error.ts";
import type { AttributionModel } from "./model.ts";
import type { CallGroup } from "./score.ts";
import { promptUnits } from "./units.ts";

/** @throws IapoError `shape` where the model's prompt has other units; what the model throws */
export function rereadBy(
  model: Pick<AttributionModel, "reread">,
  { calls, units }: CallGroup,
  blocks: readonly PromptBlock<ImageRef>[],
  options: PartitionOptions,
): CallGroup {
  const present = calls.filter((call) => call !== undefined);
  const read = model.reread(present, blocks);
  const [first] = read;
  if (!first || first === present[0]) return { calls, units };
  const own = promptUnits(blocks, first.turn, options);
  if (own.names.join() !== units.names.join()) {
    throw new IapoError(
      "shape",
      `the recorded prompt has the blocks ${units.names.join(", ")}, the teacher's ${own.names.join(", ")}`,
    );
  }
  const each = read.values();
  return { calls: calls.map((call) => call && each.next().value), units: own };
}
