/** Full disks, limits on file size, processes that are killed, two that write the same step. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listSteps, openStep, readStep, recoverSteps, stepPath, writeStep } from "../src/files/index.ts";
import { writeAll } from "../src/files/write.ts";
import { exampleStep } from "./episodes.ts";

let root: string;
let count = 0;
const directory = (): string => join(root, `${count++}`);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "step-faults-"));
});
afterAll(() => rm(root, { recursive: true }));

const child = join(import.meta.dirname, "write-step.ts");

/** Runs write-step.ts; `limit` is the largest file it may make, in KiB. */
function start(
  place: string,
  step: number,
  { groups = 100, limit }: { groups?: number; limit?: number } = {},
): ChildProcess {
  const shell = limit === undefined ? 'exec "$@"' : `ulimit -f ${limit}; exec "$@"`;
  const node = [process.execPath, "--conditions=@iapo/source", child, place, String(step), String(groups)];
  return spawn("bash", ["-c", shell, "bash", ...node], { stdio: ["ignore", "pipe", "inherit"] });
}

async function said(process: ChildProcess): Promise<string> {
  let text = "";
  process.stdout!.on("data", (chunk) => (text += chunk));
  if (process.exitCode === null && process.signalCode === null) await once(process, "close");
  return text;
}

const posix = process.platform !== "win32";

describe.runIf(posix)("a full disk", () => {
  test.runIf(existsSync("/dev/full"))("bytes that find no room are an error, also in pieces", async () => {
    const handle = await open("/dev/full", "w");
    await expect(writeAll(handle, new Uint8Array(100))).rejects.toMatchObject({ code: "ENOSPC" });
    await handle.close();
  });

  test("a write that fails half way leaves no file, says so, and the step can be made again", async () => {
    const place = directory();
    expect(await said(start(place, 5, { limit: 4 }))).toMatch(
      /^write_failed .*step-000005\.jsonl\.partial cannot be written: .*raise the limit of file sizes \(ulimit -f\), then resume/,
    );
    expect(await readdir(place)).toEqual([]);
    const { step } = await exampleStep(5);
    await writeStep(place, step);
    expect(await readStep(stepPath(place, 5))).toEqual(step);
  });
});

describe("two writers", () => {
  test("the second is told that the step is being written, and the first goes on", async () => {
    const place = directory();
    const { step } = await exampleStep();
    const first = await openStep(place, 3);
    await expect(openStep(place, 3)).rejects.toMatchObject({ code: "busy" });
    await first.discard();
    const path = await writeStep(place, step);
    const bytes = await readFile(path);
    await expect(writeStep(place, step)).rejects.toMatchObject({ code: "exists" });
    expect(await readFile(path)).toEqual(bytes);
    expect(await readdir(place)).toEqual(["step-000003.jsonl"]);
  });

  test("of two processes at a time one writes the step whole, the other writes nothing", async () => {
    const place = directory();
    const outcomes = (await Promise.all([said(start(place, 1)), said(start(place, 1))])).map(
      (text) => text.split(/\s/)[0],
    );
    expect(outcomes).toContain("written");
    expect(outcomes.filter((outcome) => outcome === "written")).toHaveLength(1);
    expect(["busy", "exists"]).toContain(outcomes.find((outcome) => outcome !== "written"));
    expect((await readStep(stepPath(place, 1))).traces.length).toBeGreaterThan(0);
  });

  test("calls that overlap keep their order", async () => {
    const place = directory();
    const { step } = await exampleStep();
    const writer = await openStep(place, 3);
    await Promise.all([
      writer.group(step.traces.slice(0, 2)),
      writer.group(step.traces.slice(2)),
      writer.log(step.log),
      writer.finish(),
    ]);
    expect(await recoverSteps(place, 4)).toMatchObject({ published: [3], deleted: [], missing: [0, 1, 2] });
    expect(await readStep(stepPath(place, 3))).toEqual(step);
  });
});

test.runIf(posix)("a process killed while it writes leaves a partial file, which recovery deletes", async () => {
  const place = directory();
  const process = start(place, 7, { groups: 20_000 }); // far more than it gets to write
  const output = said(process);
  const partial = `${stepPath(place, 7)}.partial`;
  while (!existsSync(partial) && process.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1));
  process.kill("SIGKILL");
  expect(await output).toBe("");
  expect(await listSteps(place)).toEqual([]);
  expect(await recoverSteps(place, 7)).toMatchObject({ published: [], deleted: [7] });
  expect(await readdir(place)).toEqual([]);
});
