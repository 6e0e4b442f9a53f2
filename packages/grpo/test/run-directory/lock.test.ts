// One writer at a time, whatever has become of the one before.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findWriter, lockDirectory } from "../../src/run-directory/index.ts";
import { temporaryFolder } from "../support/folder.ts";

function leave(folder: string, holder: object): void {
  writeFileSync(join(folder, "writer-someone-1.lock"), JSON.stringify(holder));
}

const since = "2026-01-01T00:00:00.000Z";

test("a directory is taken, refused to others with process, machine and time, and given back", async () => {
  const folder = join(temporaryFolder(), "new");
  const lock = await lockDirectory(folder);
  await expect(lockDirectory(folder)).rejects.toMatchObject({
    code: "busy",
    message: expect.stringMatching(new RegExp(`in use by process ${process.pid} on ${hostname()}, since 20\\d\\d-`)),
  });
  await lock.release();
  expect(existsSync(folder)).toBe(false); // it was made for the lock
  await (await lockDirectory(folder)).release();
});

test("the lock of a process that has ended is taken over", async () => {
  const folder = temporaryFolder();
  const { pid } = spawnSync("true");
  leave(folder, { host: hostname(), pid, since, began: null });
  await (await lockDirectory(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("who is at work is found by looking: while a lock is held, not of a process that has ended, and elsewhere by its word", async () => {
  const folder = temporaryFolder();
  expect(await findWriter(join(folder, "none"))).toBeUndefined();
  const lock = await lockDirectory(folder);
  expect(await findWriter(folder)).toMatchObject({ pid: process.pid, host: hostname(), isHere: true });
  await lock.release();
  expect(await findWriter(folder)).toBeUndefined();
  leave(folder, { host: hostname(), pid: spawnSync("true").pid, since, began: null });
  expect(await findWriter(folder)).toBeUndefined();
  expect(readdirSync(folder)).toHaveLength(1); // it stays: whoever only looks changes nothing
  leave(folder, { host: "elsewhere", pid: 7, since, began: null });
  expect(await findWriter(folder)).toEqual({ pid: 7, host: "elsewhere", since, isHere: false });
});

test("what it has left half-written, beside and in the folders of a run, is removed; all else stays", async () => {
  const folder = temporaryFolder();
  for (const name of ["images", "teacher-calls"]) mkdirSync(join(folder, name));
  const left = ["run.json", "config.yaml", "writer-x-1.lock", "images/a.png", "teacher-calls/b.json", "model"];
  const program = `import { besideOf } from "@iapo/rollout-trace/files";
import { mkdirSync, writeFileSync } from "node:fs";
const [, ...names] = process.argv;
for (const name of names) name.endsWith("model") ? mkdirSync(besideOf(name) + "/") : writeFileSync(besideOf(name), "half");`;
  const node = ["--conditions=@iapo/source", "--input-type=module", "-e", program];
  const { status } = spawnSync("node", [...node, ...left.map((name) => join(folder, name))], {
    cwd: import.meta.dirname,
  });
  expect(status).toBe(0);
  expect(readdirSync(folder, { recursive: true }).length).toBe(left.length + 2);
  for (const name of ["notes.partial", "images/mine.partial", "images/a.png"]) writeFileSync(join(folder, name), "");
  await (await lockDirectory(folder)).release();
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(
    ["images", "images/a.png", "images/mine.partial", "notes.partial", "teacher-calls"].sort(),
  );
});

test.skipIf(process.platform !== "linux")(
  "a later process of the same number is not taken for the holder",
  async () => {
    const folder = temporaryFolder();
    leave(folder, { host: hostname(), pid: process.pid, since, began: "another boot 1" });
    await (await lockDirectory(folder)).release();
    expect(readdirSync(folder)).toEqual([]);
  },
);

test("that of another machine stands, as does one that cannot be read", async () => {
  const folder = temporaryFolder();
  leave(folder, { host: "elsewhere", pid: 1, since, began: null });
  await expect(lockDirectory(folder)).rejects.toThrow(/process 1 on elsewhere.*\n.*delete .*writer-someone-1\.lock/);
  writeFileSync(join(folder, "writer-someone-1.lock"), "{");
  await expect(lockDirectory(folder)).rejects.toThrow(/a process that left no name/);
  expect(readFileSync(join(folder, "writer-someone-1.lock"), "utf8")).toBe("{");
});

test("of several that begin at once none meets another", async () => {
  const folder = temporaryFolder();
  const { pid } = spawnSync("true");
  leave(folder, { host: hostname(), pid, since, began: null });
  const at = Date.now() + 1500;
  const contenders = Array.from({ length: process.env.IAPO_FULL ? 12 : 4 }, () => {
    const program = join(import.meta.dirname, "hold-lock.ts");
    const child = spawn("node", ["--conditions=@iapo/source", "--no-warnings", program, folder, String(at)]);
    return new Promise<string>((resolve) => {
      let said = "";
      child.stdout.on("data", (text) => (said += text));
      child.on("close", () => resolve(said));
    });
  });
  const said = await Promise.all(contenders);
  for (const word of said) expect(["held", "busy"]).toContain(word);
  expect(readdirSync(folder)).toEqual([]);
});
