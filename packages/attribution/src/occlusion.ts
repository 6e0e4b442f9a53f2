// Occlusion of several prompts at once: as many as fit are embedded and scored together.
import type { Tensor } from "@iapo/tensor-core";
import { type BatchBaseline, baselineRows, batchBaselineRows, imageRows, isBatchBaseline } from "./baseline.ts";
import { at } from "./checked.ts";
import { type Partition, tokensOfUnits } from "./math/index.ts";
import type { BlockAttribution, Occlusion } from "./methods.ts";
import type { DifferentiableModel, Embedded } from "./model.ts";
import { defaultRowsPerPass, type Replacing, type ResponseScore, replacedScoresOfAll, rowsOfAll } from "./replaced.ts";

/** An embedded prompt with its partition; what it holds is freed when it is disposed. */
interface Opened extends Replacing {
  readonly names: readonly string[];
  dispose(): void;
}

/** `open` embeds the prompt of a group, which is then this function's to dispose of. */
export async function occlusionOfAll<Group extends { readonly partition: Partition }>(
  model: DifferentiableModel<never>,
  groups: readonly Group[],
  open: (group: Group) => { readonly value: Embedded },
  { baseline = "mean_by_kind", rowsPerPass = defaultRowsPerPass }: Occlusion,
): Promise<BlockAttribution[][]> {
  const images = isBatchBaseline(baseline) ? groups.map((group) => imageOf(open(group).value)) : [];
  const rowsFor = (embedded: Embedded, place: number): Tensor =>
    isBatchBaseline(baseline)
      ? batchBaselineRows(embedded, othersOf(images, place, baseline))
      : baselineRows(model, embedded, baseline);
  const results: BlockAttribution[][] = [];
  let together: Opened[] = [];
  let rows = 0;
  const score = async (): Promise<void> => {
    results.push(...(await attributions(model, together, rowsPerPass)));
    for (const prompt of together) prompt.dispose();
    [together, rows] = [[], 0];
  };
  try {
    for (const [place, group] of groups.entries()) {
      const embedded = open(group).value;
      const prompt = { embedded, replaced: tokensOfUnits(group.partition), names: group.partition.names };
      const own = rowsOfAll(prompt);
      let made: Tensor;
      try {
        if (together.length > 0 && rows + own > rowsPerPass) await score();
        made = rowsFor(embedded, place);
      } catch (error) {
        embedded.dispose();
        throw error;
      }
      together.push({ ...prompt, baseline: made, dispose: () => disposeAll(embedded, made) });
      rows += own;
    }
    if (together.length > 0) await score();
    return results;
  } finally {
    for (const prompt of together) prompt.dispose();
    for (const image of images) image?.dispose();
  }
}

/** Of a prompt that is embedded for its image alone. */
function imageOf(embedded: Embedded): Tensor | undefined {
  try {
    return imageRows(embedded);
  } finally {
    embedded.dispose();
  }
}

/** Images in the place of that of prompt `place`: the next prompt's that has one, or those of all others. */
function othersOf(images: readonly (Tensor | undefined)[], place: number, baseline: BatchBaseline): Tensor[] {
  const others = [...images.slice(place + 1), ...images.slice(0, place)].filter((image) => image !== undefined);
  return baseline === "other_image" ? others.slice(0, 1) : others;
}

function disposeAll(...held: readonly { dispose(): void }[]): void {
  for (const one of held) one.dispose();
}

async function attributions(
  model: DifferentiableModel<never>,
  prompts: readonly Opened[],
  rowsPerPass: number,
): Promise<BlockAttribution[][]> {
  const scored = await replacedScoresOfAll(model, prompts, rowsPerPass);
  return scored.map(({ whole, variants }, i) =>
    whole.map((score, response) => {
      const without = variants.map((scores) => at(scores, response));
      return {
        method: "occlusion",
        targetLogProb: score.sum,
        names: at(prompts, i).names,
        blockScores: Float64Array.from(without, ({ sum }) => score.sum - sum),
        targetScores: without.map((other) => lost(score, other)),
      };
    }),
  );
}

/** Of each target token, what its log-prob loses. */
function lost(whole: ResponseScore, without: ResponseScore): Float64Array {
  return whole.tokens.map((value, i) => value - at(without.tokens, i));
}
