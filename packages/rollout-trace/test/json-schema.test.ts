/** The exported JSON Schema takes what is written and refuses what the format forbids. */
import { expect, test } from "vitest";
import { z } from "zod";
import { traceJsonSchema, traceSchema } from "../src/index.ts";
import { exampleStep } from "./episodes.ts";

test("JSON Schema agrees with the format", async () => {
  const schema = traceJsonSchema();
  expect(schema).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Trace",
    type: "object",
  });
  const foreign = z.fromJSONSchema(JSON.parse(JSON.stringify(schema)));
  for (const trace of (await exampleStep()).step.traces) {
    const line = JSON.parse(JSON.stringify(z.encode(traceSchema, trace)));
    expect(foreign.safeParse(line).error).toBeUndefined();
    for (const wrong of [
      { ...line, version: 3 },
      { ...line, extra: 1 },
      { ...line, group: -1 },
      { ...line, turns: [] },
      { ...line, turns: [{ ...line.turns[0], tokens: [1, 2] }] },
      { ...line, task: { ...line.task, question: "beside the content" } },
      { ...line, toolOutcomes: [{ ...line.toolOutcomes[0], status: "fine" }] },
    ]) {
      expect(foreign.safeParse(wrong).success).toBe(false);
    }
  }
});
