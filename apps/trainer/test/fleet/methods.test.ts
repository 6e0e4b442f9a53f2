// Each way to train, with a worker and without: the same SHA-256; and a judge, whose verdicts are no function of seeds.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { fingerprint } from "../support/fingerprint.ts";
import { type Running, sharedFolder, start } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 600_000 });
const isFull = process.env.IAPO_FULL === "1";
const folder = sharedFolder();

const sets = (settings: readonly string[]): string[] => settings.flatMap((setting) => ["--set", setting]);
const small = ["steps=2", "groups=2", "rollout.samples=2", "rollout.maxTokens=12", "evaluate=", "update.split=group"];
const grpo = small.map((setting) => `grpo.${setting}`);
const examples = ["steps=2", "batchSize=6", "microBatchTokens=100", "evaluate="].map(
  (setting) => `supervised.${setting}`,
);

async function done({ ended }: Running): Promise<string> {
  const { code, err } = await ended;
  expect(code, err).toBe(0);
  return err;
}

const methods: readonly (readonly [string, readonly string[], unitsAStep: number])[] = [
  ["GRPO with an adapter", ["train", "nano-grpo", ...sets([...grpo, "model.lora.rank=4", "model.lora.alpha=8"])], 2],
  ["examples", ["sft", "nano-sft", ...sets(examples)], 1],
  ...(isFull
    ? ([
        ["distillation by token", ["train", "nano-opd-token", ...sets(grpo)], 2],
        ["distillation by loss", ["train", "nano-gkd", ...sets(grpo)], 1],
      ] as const)
    : []),
];

test.each(methods)("%s: a worker changes no bit", async (name, args, unitsAStep) => {
  const [one, other] = [join(folder, `${name} alone`), join(folder, `${name} shared`)];
  await done(start([...args, "--out", one]));
  await done(start([...args, "--fleet", "1", "--min-workers", "1", "--out", other]));
  expect(fingerprint(other)).toEqual(fingerprint(one));
  for (const line of readFileSync(join(other, "fleet.jsonl"), "utf8").trim().split("\n"))
    expect(JSON.parse(line).units).toBeGreaterThanOrEqual(unitsAStep);
});

test("a judge is asked once for each answer, by the learner, though every unit is done by two workers", async () => {
  let asked = 0;
  // What it says is no function of what it is asked.
  const judge = createServer((request, response) => {
    request.resume().on("end", () => {
      const content = asked++ % 2 === 0 ? "<|YES|>" : "<|NO|>";
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }] }));
    });
  });
  await new Promise<void>((resolve) => judge.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void judge.close());
  const address = judge.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const judged = ["judge.model=judge", `judge.endpoint=http://127.0.0.1:${port}/v1`, "judge.reading=vtool_v1"];
  const settings = [...grpo, "grpo.rollout.maxTokens=40", "environment.scoring.scoring=judge", ...judged];
  const run = join(folder, "judged");
  await done(
    start([
      "train",
      "nano-grpo",
      ...sets(settings),
      "--fleet",
      "2",
      "--min-workers",
      "2",
      "--verify",
      "1",
      "--out",
      run,
    ]),
  );
  const keys = readFileSync(join(run, "verdicts.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).key as string);
  expect(keys.length).toBeGreaterThan(0);
  expect(new Set(keys).size).toBe(keys.length);
  expect(asked).toBe(keys.length);
  const [line = ""] = readFileSync(join(run, "fleet.jsonl"), "utf8").split("\n");
  expect(JSON.parse(line).copies).toBeGreaterThan(0);
});
