// Every command that writes, through the real binary, on a disk without room: it says so, leaves nothing half-written, and goes on when there is.
// `train` and `sft`: run/train.test.ts.
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { writingCommands } from "./support/commands.ts";
import { canFillDisk, onFullDisk } from "./support/full-disk.ts";
import { main, sharedFolder } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

const full = process.env.IAPO_FULL === "1";
const folder = sharedFolder();
const run = join(folder, "run");
const commands = writingCommands(run);

beforeAll(() => smallRun(run));

/** The room that a command has, its arguments, and what is whole when the room is used up. */
type Case = readonly [size: string, args: readonly string[], left: readonly string[]];

const quick: readonly Case[] = [
  ["8k", commands.export, []],
  ["8k", commands.report, []],
  ["8k", commands.convert, []],
  ["8k", commands.eval, ["made/eval.json"]],
  ["8k", commands.demo, ["made/demo.json"]],
];
const long: readonly Case[] = [
  ["4k", commands.inspect, []],
  ["8k", commands.render, []],
  ["4k", commands.attribute, []],
  ["8k", commands.diagnose, ["made/scores.jsonl"]],
  ["8k", commands["case-study"], ["made/case-study.jsonl"]],
];

test.skipIf(!canFillDisk).each(full ? [...quick, ...long] : quick)(
  "with %s of room %j says that it is used up, and leaves nothing half-written",
  async (size, args, left) => {
    const copy = join(folder, `copy of ${args.join(" ").replaceAll("/", "")}`.slice(0, 200));
    const starved = await onFullDisk(args, full ? { size, copy } : { size });
    expect(starved.said).toMatch(/^iapo: (?=.*disk\/made).*ENOSPC.*\(\w+\)$/m);
    expect(starved.said).not.toMatch(/^ +at .*\.[tj]s:/m);
    expect(starved.code).toBe(1);
    expect(starved.out).toBe("");
    expect(starved.left).toEqual(left);
    if (full) expect(starved.again).toMatchObject({ code: 0 });
  },
);

test.skipIf(!full)("a queue of runs names each that found no room, and makes them when there is", async () => {
  const copy = join(folder, "ablation");
  const starved = await onFullDisk(["ablate", "--split", "validation", ...commands.ablate.slice(1)], {
    size: "24k",
    copy,
  });
  expect(starved.said).toMatch(/nano-student failed: [\s\S]*ENOSPC/);
  expect(starved.code).toBe(1);
  const whole =
    /^made\/(queue\.json|configurations\/.*\.yaml|(measures|runs)\/.*\/(eval\.json|config\.yaml|starts\.jsonl)|results\/.*)$/;
  expect(starved.left.filter((name) => !whole.test(name))).toEqual([]);
  expect(starved.again, starved.again!.said).toMatchObject({ code: 0 });
  expect(existsSync(join(copy, "results/tables.md"))).toBe(true);
});

test.runIf(existsSync("/dev/full"))("results that find no room end the command in order", () => {
  const stdout = openSync("/dev/full", "w");
  const node = ["--conditions=@iapo/source", "--no-warnings", main, "--help"];
  const { status, stderr } = spawnSync(process.execPath, node, { stdio: ["ignore", stdout, "pipe"], encoding: "utf8" });
  closeSync(stdout);
  expect(stderr).toMatch(/^iapo: what it says cannot be written: ENOSPC: .*\n$/);
  expect(status).toBe(1);
});
