// The JSON Schema of configurations, which editors read from this package.
import { jobConfig } from "@iapo/jobs";
import { expect, test } from "vitest";

test("the committed JSON Schema is up to date (vitest -u writes it)", async () => {
  const text = `${JSON.stringify(jobConfig.jsonSchema, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../schema/iapo.schema.json");
});
