// A prompt with two images and two responses behind it, packed: what an update sees.

import type { QwenVLModel } from "../../src/model/model.ts";
import type { PackedBatch, ResponseSequence } from "../../src/model/pack.ts";
import { packGroups } from "../../src/model/pack.ts";
import { textPositions } from "../../src/model/response.ts";
import type { Golden } from "./golden.ts";
import { imagesOf, sequenceOf } from "./nano.ts";

export function groupBatch(model: QwenVLModel, golden: Golden): PackedBatch {
  const prompt = sequenceOf(golden, "A", 0, imagesOf(golden, "A"));
  const start = Math.max(...prompt.positions) + 1;
  const response = (ids: readonly number[]): ResponseSequence => {
    return {
      tokens: Int32Array.from(ids),
      positions: textPositions(start, ids.length),
      images: [],
      targets: new Uint8Array(ids.length).fill(1),
    };
  };
  return packGroups(model.config, [
    { prompt, responses: [response([11, 40, 300, 9]), response([77, 21, 6, 250, 13, 1])] },
  ]);
}
