// The sanity check of Adebayo et al. 2018: scores that stay the same when the weights are random do not explain the model.

import { attributeBlocks } from "./attribute.ts";
import { at } from "./checked.ts";
import { type Partition, type Similarity, similarity } from "./math/index.ts";
import type { BlockMethod } from "./methods.ts";
import type { DifferentiableModel } from "./model.ts";

/**
 * Scores an input with a model and with one of the same shape whose weights are random, and compares them, response by response: token by
 * token where the method scores tokens, else block by block. A method that passes is near 0; near 1, it shows the input and not the model.
 * @throws AttributionError as `attributeBlocks`
 */
export async function randomizedWeightsCheck<Input>(
  model: DifferentiableModel<Input>,
  randomized: DifferentiableModel<Input>,
  input: Input,
  partition: Partition,
  method: BlockMethod,
): Promise<Similarity[]> {
  const [trained, random] = [
    await attributeBlocks(model, input, partition, method),
    await attributeBlocks(randomized, input, partition, method),
  ];
  return trained.map((result, response) => {
    const other = at(random, response);
    return similarity(result.tokenScores ?? result.blockScores, other.tokenScores ?? other.blockScores);
  });
}
