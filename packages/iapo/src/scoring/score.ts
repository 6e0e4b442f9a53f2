// Block scores of the calls of one prompt, by one model.
import { attributeBlocks, type BlockAttribution, type BlockMethod, type Partition } from "@iapo/attribution";
import type { AttributionModel, Call } from "./model.ts";

/**
 * What each call rests on; undefined where there is no call. All turns share one prompt. Equal calls are scored once: a score depends on
 * nothing that is packed with it. @throws AttributionError as `attributeBlocks`; what the model throws
 */
export async function scoreCalls(
  model: AttributionModel,
  calls: readonly (Call | undefined)[],
  units: Partition,
  method: BlockMethod,
): Promise<(BlockAttribution | undefined)[]> {
  const distinct = new Map<string, Call>();
  const names = calls.map((call) => call && nameOf(call));
  calls.forEach((call, i) => {
    if (call && !distinct.has(names[i]!)) distinct.set(names[i]!, call);
  });
  if (distinct.size === 0) return calls.map(() => undefined);
  const results = await attributeBlocks(model, [...distinct.values()], units, method);
  const resultOf = new Map([...distinct.keys()].map((name, i) => [name, results[i]!]));
  return names.map((name) => (name === undefined ? undefined : resultOf.get(name)));
}

/** What a score depends on: the tokens up to the last target, which of them are targets, and the images. */
function nameOf({ turn, targets }: Call): string {
  const end = targets.lastIndexOf(1) + 1;
  const parts = [turn.tokens.subarray(0, end), targets.subarray(0, end), turn.images.map(({ id }) => id)];
  return parts.map((part) => part.join()).join(" ");
}
