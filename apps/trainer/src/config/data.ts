// The section `data`.
import type { NanoChartOptions } from "@iapo/vqa-tasks";
import { type DataOptions, dataOptionsSchema, nanoChartOptionsSchema } from "@iapo/vqa-tasks/config";
import { z } from "zod";

export interface DataSettings {
  readonly nanoCharts?: NanoChartOptions | undefined;
  readonly files?: DataOptions | undefined;
  /** Held-out tasks beside `files`; nano-charts have a split of their own. */
  readonly validation?: DataOptions | undefined;
  /** Tasks that training draws from at most. */
  readonly limit?: number | undefined;
}

export const dataSchema: z.ZodType<DataSettings, unknown> = z
  .strictObject({
    nanoCharts: nanoChartOptionsSchema.optional().describe("Small bar charts, drawn on the fly."),
    files: dataOptionsSchema.optional().describe("Charts or tables in a published format."),
    validation: dataOptionsSchema.optional().describe("Held-out tasks beside files."),
    limit: z.int().min(1).optional().describe("Tasks that training draws from at most."),
  })
  .refine(({ nanoCharts, files }) => (nanoCharts === undefined) !== (files === undefined), {
    error: "give either nanoCharts or files",
  })
  .refine(({ files, validation }) => files !== undefined || validation === undefined, {
    error: "nano-charts have a validation split of their own",
    path: ["validation"],
  });
