// The real chart that the demo looks at, as a task.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { boxesSchema, identifyImage, orientationSchema, type Task } from "@iapo/rollout-trace";
import { readImage } from "@iapo/visual-tools/sharp";
import { z } from "zod";

const schema = z.strictObject({
  question: z.string(),
  answers: z.array(z.string()).min(1),
  orientation: orientationSchema,
  columns: boxesSchema,
});

const asset = (name: string): string => fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));

export async function exampleTask(): Promise<Task> {
  const { question, answers, orientation, columns } = schema.parse(
    JSON.parse(await readFile(asset("bar-chart.json"), "utf8")),
  );
  const image = await identifyImage(await readImage(asset("bar-chart.png")));
  return {
    id: "vega-bar",
    image,
    question,
    answers,
    columns,
    rows: [],
    orientation,
    source: "vega-lite",
    split: "example",
  };
}

/** What a trained model would write for the example's question. */
export const exampleProgram =
  '```python\ndisplay(focus_on_columns_with_highlight(image_1, ["E"], columns_bbox))\n```\n';
