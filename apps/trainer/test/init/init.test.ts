// iapo init: what it writes trains as it stands; it asks what is not said, and writes over nothing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "@iapo/jobs";
import { expect, onTestFinished, test, vi } from "vitest";
import { init } from "../../src/init/init.ts";
import { dataChoices, modelChoices } from "../../src/init/project.ts";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 120_000 });

test("rows of its own and a nano model: inspected, tried and trained on as they stand", async () => {
  const folder = temporaryFolder();
  const made = await iapo(["init", folder, "--data", "own", "--model", "nano"]);
  expect(made.code, made.err).toBe(0);
  expect(made.out).toMatch(/^ {2}.* plan .*iapo\.yaml/m);
  expect(made.out).toContain("nano model knows its own charts");
  const config = join(folder, "iapo.yaml");
  const inspected = await iapo(["data", "inspect", join(folder, "data/train")]);
  expect(inspected.out).toContain("8 tasks");
  const tried = await iapo(["train", config, "--dry-run", "--out", join(folder, "run")]);
  expect(tried.code, tried.err).toBe(0);
  const small = ["steps=1", "groups=1", "rollout.samples=2", "evaluate="].flatMap((one) => ["--set", `grpo.${one}`]);
  const trained = await iapo(["train", config, "--out", join(folder, "run"), ...small]);
  expect(trained.code, trained.err).toBe(0);
});

test.each(dataChoices.flatMap((data) => modelChoices.map((model) => ({ data, model }))))(
  "$data data, model $model: the schema takes it",
  async ({ data, model }) => {
    const folder = temporaryFolder();
    expect((await iapo(["init", folder, "--data", data, "--model", model])).code).toBe(0);
    const { config } = loadConfig(join(folder, "iapo.yaml"));
    expect(config.data.nanoCharts === undefined).toBe(data === "own");
    expect(existsSync(join(folder, "data/train/tasks.jsonl"))).toBe(data === "own");
  },
);

test("what is not said is asked; an answer that is no choice is refused, and nothing is written", async () => {
  const directory = join(temporaryFolder(), "mine");
  const asked: string[] = [];
  const answering = (...answers: string[]) => ({
    out: (text: string) => void asked.push(text),
    note: () => {},
    signal: new AbortController().signal,
    ask: async (question: string) => {
      asked.push(question);
      return answers.shift() ?? "";
    },
  });
  await expect(init({ directory }, answering("mine"))).rejects.toThrow("mine is none of own, nano");
  expect(existsSync(directory)).toBe(false);
  expect(await init({ directory }, answering("", "3b", "24"))).toBe(0);
  expect(asked.join("\n")).toContain("--card --memory 24");
  expect(readFileSync(join(directory, "iapo.yaml"), "utf8")).toContain("extends: paper-main");
});

test("under npx, what comes next is a command that npx runs", async () => {
  vi.stubEnv("npm_command", "exec");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { out } = await iapo(["init", temporaryFolder(), "--data", "nano", "--model", "nano"]);
  expect(out).toMatch(/^ {2}npx @iapo\/trainer train .*iapo\.yaml$/m);
});

test("a file that is there stays", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "iapo.yaml"), "mine");
  await expectRefusal(["init", folder, "--data", "nano"], 2, /iapo\.yaml is there already/);
  expect(readFileSync(join(folder, "iapo.yaml"), "utf8")).toBe("mine");
});
