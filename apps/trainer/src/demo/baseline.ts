// Plain GRPO of the same steps, and of the same time, as it was measured once: what the demo's own result is put beside.
import { readFile } from "node:fs/promises";
import { estimateSchema, metricNames } from "@iapo/evaluation";
import { z } from "zod";
import type { Regime } from "./regime.ts";
import type { Column } from "./table.ts";

const schema = z.strictObject({
  note: z.string(),
  /** What made it. */
  commands: z.array(z.string()),
  columns: z.array(
    z.strictObject({
      title: z.string(),
      measured: z.strictObject({ metrics: z.record(z.enum(metricNames), estimateSchema) }),
    }),
  ),
});

export async function baseline(
  regime: Regime,
): Promise<{ readonly columns: readonly Column[]; readonly note: string }> {
  const file = new URL(`../../assets/demo-grpo-${regime}.json`, import.meta.url);
  return schema.parse(JSON.parse(await readFile(file, "utf8")));
}
