/** A run whose step files are of version 1 replays as one of today does. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modelContent } from "@iapo/jobs";
import { studentDirectory } from "@iapo/nano-vl";
import { expect, test } from "vitest";
import { iapo, temporaryFolder } from "../support/iapo.ts";

const steps = join(import.meta.dirname, "../../../../packages/rollout-trace/test/fixtures/version-1");

test("rewards, advantages and loss, and every turn encoded again", async () => {
  const content = await modelContent(studentDirectory, { name: "model", weights: false });
  const run = temporaryFolder();
  mkdirSync(join(run, "steps"));
  copyFileSync(join(steps, "step-000000.jsonl"), join(run, "steps/step-000000.jsonl"));
  const settings = {
    command: "train",
    model: { directory: "nano-student" },
    data: { nanoCharts: { seed: 1, names: "words" } },
    environment: { prompt: "compact" },
    grpo: { loss: { kind: "dapo" } },
  };
  writeFileSync(
    join(run, "run.json"),
    JSON.stringify({ version: 2, kernelFamily: "software", adapter: "", code: {}, content, commits: {}, settings }),
  );
  const { code, out, err } = await iapo(["replay", run, "--model", studentDirectory]);
  expect(err).toContain("largest difference 0");
  expect(out).toContain("2 traces hold what their tasks give");
  expect(code).toBe(0);
});
