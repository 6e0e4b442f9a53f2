// Multimodal rope positions (docs/qwen2.5-vl.md "Text model", mRoPE).
import type { SpecialTokens } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import type { ImageGrid } from "./smart-resize.ts";

export interface RopePositions {
  /** `[tokens, 3]` flattened: time, height, width of each token. */
  readonly positions: Int32Array<ArrayBuffer>;
  /** The position of the token that comes next, on all three axes. */
  readonly next: number;
}

/**
 * Positions of a token sequence whose images stand as runs of `tokens.image`, one id per merged cell.
 * @param grids one per image, in order
 * @param start position of the first token; give `next` of what came before to continue a sequence
 * @throws QwenVLError `positions` where runs and grids do not fit, `video` for video tokens or grids.
 */
export function ropePositions(
  ids: ArrayLike<number>,
  grids: readonly ImageGrid[],
  tokens: Pick<SpecialTokens, "image" | "video">,
  mergeSize: number,
  start = 0,
): RopePositions {
  const count = ids.length;
  const positions = new Int32Array(3 * count);
  let next = start;
  let image = 0;
  for (let at = 0; at < count; ) {
    if (ids[at] === tokens.video)
      throw new QwenVLError("video", `token ${at} stands for a video: video is not supported`);
    if (ids[at] !== tokens.image) {
      positions.fill(next++, 3 * at, 3 * at + 3);
      at++;
      continue;
    }
    const grid = grids[image];
    if (grid === undefined)
      throw new QwenVLError("positions", `token ${at} begins an image, but there are only ${image} grids`);
    if (grid[0] !== 1) throw new QwenVLError("video", `image ${image} has ${grid[0]} frames: video is not supported`);
    const rows = grid[1] / mergeSize;
    const columns = grid[2] / mergeSize;
    for (let cell = 0; cell < rows * columns; cell++, at++) {
      if (ids[at] !== tokens.image) {
        throw new QwenVLError("positions", `image ${image} needs ${rows * columns} tokens, its run has ${cell}`);
      }
      positions.set([next, next + Math.floor(cell / columns), next + (cell % columns)], 3 * at);
    }
    next += Math.max(rows, columns);
    image++;
  }
  if (image !== grids.length)
    throw new QwenVLError("positions", `${grids.length} grids, but only ${image} images among the tokens`);
  return { positions, next };
}
