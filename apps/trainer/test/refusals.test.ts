// What every command has in common: without an adapter, with an unknown key, in a directory that is taken.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { lockDirectory } from "../src/run/lock.ts";
import { expectRefusal, sharedFolder, start, temporaryFolder } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = sharedFolder();
const run = join(folder, "run");
const out = join(folder, "out");
const wrong = (recipe: string, text: string): string => {
  const file = join(folder, `wrong-${recipe}.yaml`);
  writeFileSync(file, `extends: ${recipe}\n${text}\n`);
  return file;
};

beforeAll(() => smallRun(run));

test.each([
  ["plan", "nano-grpo"],
  ["sft", "nano-sft", "--out", out],
  ["eval", "nano-student", "--out", out],
  ["attribute", "nano-student", "--teacher", "nano-teacher", "--nano", "1", "--out", out],
  ["diagnose", "--out", out],
  ["case-study", "--model", "nano-student", "--out", out],
  ["export", run, "--out", join(folder, "exported")],
])("without an adapter %s is exit code 3", async (...args) => {
  const nowhere = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };
  const { code, out: said, err } = await start(args, nowhere).ended;
  expect(err).toMatch(/iapo: no WebGPU adapter was found\. .*\(no_adapter\)/);
  expect(err).not.toMatch(/^ +at .*\.[tj]s:/m);
  expect({ code, said }).toEqual({ code: 3, said: "" });
});

test.each([["plan"], ["train"], ["attribute", "--cache", "1"], ["diagnose"], ["case-study"], ["demo", "--recipe"]])(
  "an unknown key is shown where it stands by %s",
  async (command, ...flags) => {
    const config = wrong("nano-iapo-occlusion", "grpo: { stepz: 1 }");
    const args = flags.includes("--recipe") ? [command, ...flags, config] : [command, config, ...flags];
    await expectRefusal(args, 2, /wrong-nano-iapo-occlusion\.yaml:2:9: unknown key "stepz" in grpo\n[\s\S]*"steps"/);
  },
);

test("and by sft", () =>
  expectRefusal(["sft", wrong("nano-sft", "supervised: { stepz: 1 }")], 2, /unknown key "stepz" in supervised/));

test.each([
  ["sft", "nano-sft"],
  ["demo"],
  ["eval", "nano-student"],
  ["diagnose"],
  ["case-study", "--model", "nano-student"],
  ["ablate"],
])("a directory where another process is at work is not touched by %s", async (...args) => {
  const taken = join(temporaryFolder(), "taken");
  const lock = await lockDirectory(taken);
  const before = readdirSync(taken);
  await expectRefusal([...args, "--out", taken], 4, new RegExp(`in use by process ${process.pid} .*\\(busy\\)`));
  expect(readdirSync(taken)).toEqual(before);
  await lock.release();
});
