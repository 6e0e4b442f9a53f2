// Block scores of calls, by one model.
import { attributeGroups, type BlockAttribution, type BlockMethod, type Partition } from "@iapo/attribution";
import { at } from "../at.ts";
import { inHalves } from "../in-halves.ts";
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
  const [scored = []] = await scoreGroups(model, [{ calls, units }], method);
  return scored.filter((result) => result !== undefined);
}

/** Calls to one prompt, of some traces, and its blocks. */
export interface CallGroup {
  readonly calls: readonly (Call | undefined)[];
  readonly units: Partition;
}

/** What each call of each group rests on; undefined where there is none. @throws as `scoreCalls` */
export async function scoreGroups(
  model: AttributionModel,
  groups: readonly CallGroup[],
  method: BlockMethod,
): Promise<(BlockAttribution | undefined)[][]> {
  const distinct = groups.flatMap(({ calls }, group) => {
    const byName = new Map<string, Call>();
    for (const call of calls) if (call && !byName.has(nameOf(call))) byName.set(nameOf(call), call);
    return Array.from(byName, ([name, call]) => ({ group, name, call }));
  });
  const results = await inHalves(model.device, distinct, async (some) => {
    const scored = Array.from(
      Map.groupBy(some, ({ group }) => group),
      ([group, own]) => ({
        input: own.map(({ call }) => call),
        partition: at(groups, group).units,
      }),
    );
    return (await attributeGroups(model, scored, method)).flat();
  });
  const found = groups.map(() => new Map<string, BlockAttribution>());
  for (const [i, { group, name }] of distinct.entries()) at(found, group).set(name, at(results, i));
  return groups.map(({ calls }, i) => calls.map((call) => call && at(found, i).get(nameOf(call))));
}

/** What a score depends on: the tokens up to the last target, which of them are targets, and the images. */
function nameOf({ turn, targets }: Call): string {
  const end = targets.lastIndexOf(1) + 1;
  const parts = [turn.tokens.subarray(0, end), targets.subarray(0, end), turn.images.map(({ id }) => id)];
  return parts.map((part) => part.join()).join(" ");
}
