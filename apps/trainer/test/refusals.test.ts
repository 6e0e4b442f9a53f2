// What every command has in common: without an adapter, with an unknown key or option, another directory than a model's, a missing file, in a directory
// that is taken.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockDirectory } from "@iapo/grpo/run-directory";
import { beforeAll, expect, test, vi } from "vitest";
import { expectRefusal, sharedFolder, start, temporaryFolder } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = sharedFolder();
const run = join(folder, "run");
const out = join(folder, "out");
const commands = [
  ...[
    "doctor",
    "demo",
    "plan",
    "sft",
    "train",
    "eval",
    "attribute",
    "replay",
    "report",
    "diagnose",
    "case-study",
    "ablate",
  ],
  ...["export --out x", "data inspect --format tasks", "data convert --format tasks --out x", "data render --out x"],
];
const wrong = (recipe: string, text: string): string => {
  const file = join(folder, `wrong-${recipe}.yaml`);
  writeFileSync(file, `extends: ${recipe}\n${text}\n`);
  return file;
};

const nowhere = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };

beforeAll(() => smallRun(run));

test("without an adapter plan is exit code 3", () => expectNoAdapter(["plan", "nano-grpo"]));

test.each([
  ["demo"],
  ["sft", "nano-sft"],
  ["train", "nano-grpo"],
  ["eval", "nano-student"],
  ["attribute", "nano-student", "--teacher", "nano-teacher", "--nano", "1"],
  ["diagnose"],
  ["case-study", "--model", "nano-student"],
  ["export", run],
  ["ablate", "--only", "grpo"],
])("without an adapter %s is exit code 3, and nothing is left", async (...args) => {
  const place = temporaryFolder();
  await expectNoAdapter([...args, "--out", join(place, "made")]);
  expect(readdirSync(place)).toEqual([]);
});

async function expectNoAdapter(args: readonly string[]): Promise<void> {
  const { code, out: said, err } = await start(args, nowhere).ended;
  expect(err).toMatch(/iapo: no WebGPU adapter was found\. .*\(no_adapter\)/);
  expect(err).not.toMatch(/^ +at .*\.[tj]s:/m); // Dawn itself prints a place in its C++ sources
  expect({ code, said }).toEqual({ code: 3, said: "" });
}

test.each([
  ["replay", run],
  ["report", run, "--out", join(folder, "page.html")],
  ["data", "render", "nano", "--count", "1", "--out", join(folder, "charts")],
])("%s needs no adapter", async (...args) => {
  const { code, err } = await start(args, nowhere).ended;
  expect(code, err).toBe(0);
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

test("and where ablate sets it for all runs", () =>
  expectRefusal(
    ["ablate", "--set", "grpo.stepz=1", "--out", out],
    2,
    /unknown key "stepz" in grpo\n.*--set grpo\.stepz=1\n/,
  ));

test.each(commands)("an unknown option is refused by %s", (command) =>
  expectRefusal([...command.split(" "), "--stepz"], 2, /unknown option '--stepz'/),
);

const notHere = import.meta.dirname;

test.each<[code: number, ...args: string[]]>([
  [2, "plan", "nano-grpo", "--set", `model.directory=${notHere}`],
  [2, "sft", "nano-sft", "--set", "model.initialize=", "--set", `model.directory=${notHere}`, "--out"],
  [1, "attribute", notHere, "--out"],
  [1, "attribute", "nano-student", "--teacher", notHere, "--out"],
  [1, "case-study", "--model", notHere, "--out"],
  [1, "export", run, "--model", notHere, "--out"],
  [1, "replay", run, "--model", notHere],
])("a directory without a model: exit code %i of %s", async (code, ...args) => {
  const place = temporaryFolder();
  const refused = args.at(-1) === "--out" ? [...args, join(place, "out")] : args;
  await expectRefusal(refused, code, new RegExp(`${notHere}.*config\\.json`));
  expect(readdirSync(place)).toEqual([]);
});

test.each([
  [["plan", "/nowhere.yaml"], 2],
  [["sft", "/nowhere.yaml"], 2],
  [["demo", "--recipe", "/nowhere.yaml"], 2],
  [["attribute", "/nowhere.yaml", "--cache", "1"], 2],
  [["report", "/nowhere"], 1],
] as const)("a file that is missing is named by %j", (args, code) => expectRefusal(args, code, /iapo: \/nowhere.*: /));

test.each([
  ["train", "nano-grpo"],
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
