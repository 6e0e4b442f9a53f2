// What every command has in common: without an adapter, with an unknown key, in a directory that is taken, on a full disk.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { lockDirectory } from "../src/run/lock.ts";
import { expectRefusal, iapo, main, sharedFolder, start, temporaryFolder } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = sharedFolder();
const run = join(folder, "run");
const out = join(folder, "out");
const wrong = (recipe: string, text: string): string => {
  const file = join(folder, `wrong-${recipe}.yaml`);
  writeFileSync(file, `extends: ${recipe}\n${text}\n`);
  return file;
};

beforeAll(async () => {
  const small = ["model.initialize=1", "model.directory=nano-base", "grpo.evaluate=", "grpo.steps=1", "grpo.groups=1"];
  const short = ["grpo.rollout.samples=2", "grpo.rollout.maxTokens=4"];
  const settings = [...small, ...short].flatMap((setting) => ["--set", setting]);
  const { code, err } = await iapo(["train", "nano-grpo", ...settings, "--out", run]);
  expect(code, err).toBe(0);
});

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

/** A small file system of one's own needs no rights where user namespaces are allowed. */
const canMount = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", tmpdir()]).status === 0;

test.skipIf(!canMount && process.env.IAPO_FULL !== "1").each([
  ["export", run, "--out"],
  ["report", run, "--out"],
  ["data", "convert", join(import.meta.dirname, "fixtures/real/wtq"), "--format", "wikitablequestions", "--out"],
  ["eval", "nano-student", "--limit", "1", "--max-tokens", "2", "--out"],
])("on a full disk %s says so and leaves nothing half-written", (...args) => {
  const disk = join(temporaryFolder(), "disk");
  mkdirSync(disk);
  const script = `disk=$1; shift; mount -t tmpfs -o size=8k tmpfs "$disk"; "$@" "$disk/made"; echo "code $?" >&2; find "$disk" -type f >&2`;
  const command = [process.execPath, "--conditions=@iapo/source", "--no-warnings", main, ...args];
  const { stderr } = spawnSync("unshare", ["-rm", "sh", "-c", script, "sh", disk, ...command], { encoding: "utf8" });
  expect(stderr).toMatch(/^iapo: .*ENOSPC[\s\S]*^code 1$/m);
  expect(stderr).not.toMatch(/^ +at .*\.[tj]s:/m);
  const left = stderr.slice(stderr.indexOf("code 1")).split("\n").slice(1, -1);
  expect(left.filter((file) => !file.endsWith("/eval.json"))).toEqual([]);
});
