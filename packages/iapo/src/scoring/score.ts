// Block scores of the calls of one prompt, by one model.
import { attributeBlocks, type BlockAttribution, type BlockMethod, type Partition } from "@iapo/attribution";
import { at } from "../at.ts";
import type { AttributionModel, Call } from "./model.ts";

/**
 * What each call rests on. All turns share one prompt. Equal calls are scored once: a score depends on nothing that is packed with it.
 * @throws AttributionError as `attributeBlocks`; what the model throws
 */
export async function scoreCalls(
  model: AttributionModel,
  calls: readonly Call[],
  units: Partition,
  method: BlockMethod,
): Promise<BlockAttribution[]> {
  if (calls.length === 0) return [];
  const names = calls.map(nameOf);
  const places = [...new Set(names)].map((name) => names.indexOf(name));
  const results = await attributeBlocks(
    model,
    places.map((place) => at(calls, place)),
    units,
    method,
  );
  return names.map((name) => at(results, places.indexOf(names.indexOf(name))));
}

/** The same of those calls that are there. */
export async function scorePresentCalls(
  model: AttributionModel,
  calls: readonly (Call | undefined)[],
  units: Partition,
  method: BlockMethod,
): Promise<(BlockAttribution | undefined)[]> {
  const scored = (
    await scoreCalls(
      model,
      calls.filter((call) => call !== undefined),
      units,
      method,
    )
  ).values();
  return calls.map((call) => call && scored.next().value);
}

/** What a score depends on: the tokens up to the last target, which of them are targets, and the images. */
function nameOf({ turn, targets }: Call): string {
  const end = targets.lastIndexOf(1) + 1;
  const parts = [turn.tokens.subarray(0, end), targets.subarray(0, end), turn.images.map(({ id }) => id)];
  return parts.map((part) => part.join()).join(" ");
}
