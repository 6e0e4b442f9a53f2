// Tiles in dispatches that no driver ends for their length.
import { MOST_FLOPS_AT_ONCE } from "../../device/constants.ts";
import type { Device, Dispatch } from "../../device/device.ts";
import type { Kernel } from "../../submit/kernel.ts";

/** What a dispatch over tiles is: `tiles` workgroups in x, a tile or a part of one each, of at most `flops` together with those that share their x. */
export interface TiledDispatch extends Pick<Dispatch, "reads" | "writes"> {
  /** Without the first, `groupsBefore`. */
  readonly uniforms: readonly number[];
  readonly tiles: number;
  readonly across: readonly [number, number];
  readonly flops: number;
  /** Where not as many as may be at once. */
  readonly tilesAtOnce?: number | undefined;
}

/** Each dispatch but the first begins a submission. The bits are those of one. */
export function dispatchTiles(device: Device, kernel: Kernel, call: TiledDispatch): void {
  const { reads, writes, uniforms, tiles, across, flops } = call;
  const { tilesAtOnce = Math.max(1, Math.floor(MOST_FLOPS_AT_ONCE / flops)) } = call;
  for (let before = 0; before < tiles; before += tilesAtOnce) {
    if (before > 0) device.flush();
    const groups = [Math.min(tilesAtOnce, tiles - before), ...across] as const;
    device.dispatch(kernel, { reads, writes, uniforms: [before, ...uniforms], groups });
  }
}
