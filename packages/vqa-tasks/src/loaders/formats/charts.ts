// What the ReFocus and VTool-R1 formats share: their names for axes, kinds of chart, and boxes.
import type { NamedBox, Orientation } from "@iapo/visual-tools";
import { z } from "zod";
import { readBoxes, textSchema } from "../record.ts";

export const axesSchema = z.object({
  x_values: z.array(textSchema).nullish(),
  y_values: z.array(textSchema).nullish(),
  x_values_bbox: z.unknown().optional(),
  y_values_bbox: z.unknown().optional(),
});

export type Axes = { columns: NamedBox[]; rows: NamedBox[]; orientation?: Orientation };

/** A bar chart's boxes stand on its own axis; anything else keeps both and states no orientation. */
export function readAxes(kind: string, axes: z.infer<typeof axesSchema>): Axes {
  const columns = readBoxes(axes.x_values ?? undefined, axes.x_values_bbox, "x_values_bbox");
  const rows = readBoxes(axes.y_values ?? undefined, axes.y_values_bbox, "y_values_bbox");
  if (kind.endsWith("v_bar")) return { columns, rows: [], orientation: "columns" };
  if (kind.endsWith("h_bar")) return { columns: [], rows, orientation: "rows" };
  return { columns, rows };
}

export const CHARTQA_ADVICE =
  "this data set carries no images; get ChartQA's (the folder `ChartQA Dataset` of vis-nlp/ChartQA) and give its folder as `images`";
