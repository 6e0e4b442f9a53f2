// Where everything lies in one packed forward pass: rows, segments, rotary tables. Built on the CPU, uploaded once.
import { type Device, type Segment, Segments, type Tensor, withTag } from "@iapo/tensor-core";
import type { TextConfig } from "../config/types.ts";
import { textRotaryTables } from "../processor/rotary.ts";

/** Rows of the text decoder in one pass. */
export interface TextLayout {
  /** Position ids, `[rows, 3]` flattened: time, height, width of each row. */
  readonly positions: Int32Array;
  /** Which keys each run of rows sees; row numbers count in this pass, or in the cache where one is used. */
  readonly segments: readonly Segment[];
}

/** The layout on the device. */
export interface UploadedLayout {
  readonly rows: number;
  readonly cos: Tensor;
  readonly sin: Tensor;
  readonly segments: Segments;
}

/** Uploads a layout; the caller (or its scope) disposes what is returned. */
export function uploadTextLayout(device: Device, config: TextConfig, layout: TextLayout): UploadedLayout {
  const rows = layout.positions.length / 3;
  const { cos, sin } = textRotaryTables(config, layout.positions);
  return withTag("layout", () => ({
    rows,
    cos: device.tensor(cos, [rows, config.headDim / 2]),
    sin: device.tensor(sin, [rows, config.headDim / 2]),
    segments: Segments.of(device, layout.segments),
  }));
}
