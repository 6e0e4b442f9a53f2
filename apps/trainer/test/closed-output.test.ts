// Nobody reads what a command says, as behind `| head -1`: it ends in order, as one that was interrupted or as one that was done, and leaves
// nothing half-written.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { writingCommands } from "./support/commands.ts";
import { main, sharedFolder, temporaryFolder } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

const run = join(sharedFolder(), "run");
beforeAll(() => smallRun(run));

const { train, report, ...others } = writingCommands(run);
const silent: readonly (readonly string[])[] = [
  ["--help"],
  ["doctor"],
  ["recipes"],
  ["recipes", "show", "nano-grpo"],
  ["plan", "nano-grpo"],
  ["replay", run],
];
const quick = [...silent.slice(0, 3), report, [...train.slice(0, -1), "--json", "--out"]];
const all = [...silent, train, [...train.slice(0, -1), "--json", "--out"], report, ...Object.values(others)];

/** After so many reads the pipe is closed. */
async function unread(args: readonly string[], reads: 0 | 1) {
  const node = ["--conditions=@iapo/source", "--no-warnings", main, ...args];
  const child = spawn(process.execPath, node, { stdio: ["ignore", "pipe", "pipe"] });
  if (reads === 0) child.stdout.destroy();
  child.stdout.once("data", () => child.stdout.destroy());
  let err = "";
  child.stderr.on("data", (chunk) => (err += chunk));
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, err };
}

const full = process.env.IAPO_FULL === "1";

test.each((full ? all : quick).map((args) => [args]))("iapo %j", async (args) => {
  const place = temporaryFolder();
  const where = /^--(out|sheet)$/.test(args.at(-1) ?? "") ? [join(place, "made")] : [];
  const { code, err } = await unread([...args, ...where], full ? 1 : 0);
  expect([0, 130], err).toContain(code);
  expect(err).not.toMatch(/EPIPE|^ +at /m);
  const left = readdirSync(place, { recursive: true }).map(String);
  expect(left.filter((name) => /\.lock$|(?<!step-\d+\.jsonl)\.partial$/.test(name))).toEqual([]);
});
