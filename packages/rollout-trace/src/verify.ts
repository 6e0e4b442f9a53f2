// Checks that a trace holds what its source gives: the same tokens, blocks, images, patches and positions.
import type { ImageRef } from "./image.ts";
import type { Trace } from "./trace.ts";
import type { Turn } from "./turn.ts";

/** A turn made again; N as in {@link Turn}. What is left out is not compared. */
export interface RenderedTurn {
  /** [N] what was put in, then the sampled ids. */
  readonly tokens: ArrayLike<number>;
  /** [N] */
  readonly blocks: ArrayLike<number>;
  readonly images: readonly ImageRef[];
  /** What the sampled ids decode to. */
  readonly text: string;
  /** [3 N] */
  readonly positions?: ArrayLike<number> | undefined;
  readonly patches?: readonly string[] | undefined;
}

/**
 * Makes turn `index` of an episode again from its source (task, images, template, tokenizer), not from the trace's own tokens; only
 * the ids that were sampled are taken from it.
 */
export type TurnRenderer = (
  trace: Trace<ImageRef>,
  index: number,
  sampledIds: Int32Array<ArrayBuffer>,
) => RenderedTurn | Promise<RenderedTurn>;

/** The first place in a field of a turn where trace and source differ. */
export interface TraceDifference {
  readonly turn: number;
  readonly field: "tokens" | "blocks" | "images" | "text" | "positions" | "patches";
  /** Token, or image for `images` and `patches`; of `positions`, the token; of `text`, the UTF-16 unit. */
  readonly index: number;
  /** Undefined where the trace or the source has ended, or lacks the field. */
  readonly recorded: number | string | undefined;
  readonly rebuilt: number | string | undefined;
  readonly message: string;
}

/**
 * Where a trace and its source differ: the first place of every field of every turn, in order; empty where they agree.
 * What the renderer throws is passed on.
 */
export async function verifyTrace(trace: Trace<ImageRef>, renderer: TurnRenderer): Promise<TraceDifference[]> {
  const differences: TraceDifference[] = [];
  for (const [index, turn] of trace.turns.entries()) {
    const sampledIds = turn.tokens.filter((_token, position) => turn.lossMask[position] === 1);
    differences.push(...compareTurn(trace, index, turn, await renderer(trace, index, sampledIds)));
  }
  return differences;
}

function compareTurn(
  trace: Trace<ImageRef>,
  index: number,
  turn: Turn<ImageRef>,
  rebuilt: RenderedTurn,
): TraceDifference[] {
  const imageNames = (images: readonly ImageRef[]): string[] =>
    images.map(({ id, width, height, channels }) => `${id} ${width}x${height}x${channels}`);
  const fields: [
    TraceDifference["field"],
    ArrayLike<number | string> | undefined,
    ArrayLike<number | string> | undefined,
    number,
  ][] = [
    ["tokens", turn.tokens, rebuilt.tokens, 1],
    ["blocks", turn.blocks, rebuilt.blocks, 1],
    ["images", imageNames(turn.images), imageNames(rebuilt.images), 1],
    ["text", turn.text, rebuilt.text, 1],
    ["positions", turn.positions, rebuilt.positions, 3],
    ["patches", turn.patches, rebuilt.patches, 1],
  ];
  return fields.flatMap(([field, recorded, again, width]) => {
    if (again === undefined) return [];
    const place = firstDifference(recorded ?? [], again);
    if (place === undefined) return [];
    const at = Math.floor(place / width);
    const found = { turn: index, field, index: at, recorded: recorded?.[place], rebuilt: again[place] };
    const where = `step ${trace.step}, group ${trace.group}, sample ${trace.sample}, turn ${index}: ${field} differ at ${at}`;
    return [
      {
        ...found,
        message: `${where}: the trace has ${shown(found.recorded)}, the source gives ${shown(found.rebuilt)}`,
      },
    ];
  });
}

function firstDifference(one: ArrayLike<unknown>, other: ArrayLike<unknown>): number | undefined {
  const length = Math.max(one.length, other.length);
  for (let index = 0; index < length; index++) if (one[index] !== other[index]) return index;
  return undefined;
}

function shown(value: number | string | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
