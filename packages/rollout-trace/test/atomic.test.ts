/** A file under its final name is whole: beside full disks, limits on file size, other writers. */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { appendLine, checkRegularFile, listSteps, openJournal, writeFileAtomic } from "../src/files/index.ts";

let root: string;
let count = 0;
async function directory(): Promise<string> {
  const path = join(root, `${count++}`);
  await mkdir(path);
  return path;
}
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "atomic-"));
});
afterAll(() => rm(root, { recursive: true }));

test("text and bytes come back as they were, in place of what was there", async () => {
  const place = await directory();
  const path = join(place, "file");
  await writeFileAtomic(path, "grüße\n".repeat(3));
  expect(await readFile(path, "utf8")).toBe("grüße\n".repeat(3));
  await writeFileAtomic(path, Uint8Array.of(0, 255, 10));
  expect([...(await readFile(path))]).toEqual([0, 255, 10]);
  expect(await readdir(place)).toEqual(["file"]);
});

test("of writers at a time each writes whole, and one is last", async () => {
  const place = await directory();
  const path = join(place, "file");
  const contents = Array.from({ length: 20 }, (_, i) => `${i}\n`.repeat(50_000));
  await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
  expect(contents).toContain(await readFile(path, "utf8"));
  expect(await readdir(place)).toEqual(["file"]);
});

test("a folder that is missing, or in the way, is named, and nothing is left", async () => {
  const place = await directory();
  const taken = join(place, "taken");
  await mkdir(taken);
  const refused = (path: string) => ({ code: "write_failed", message: expect.stringContaining(`${path} cannot be`) });
  for (const path of [taken, join(place, "nowhere", "file")])
    await expect(writeFileAtomic(path, "new")).rejects.toMatchObject(refused(path));
  expect(await readdir(place)).toEqual(["taken"]);
});

/** Calls a function of this package that may not make files above 4 KiB; what it throws is printed. */
function limited(call: string, path: string): string {
  const module = join(import.meta.dirname, "../src/files/index.ts");
  const program = `import { appendLine, writeFileAtomic } from ${JSON.stringify(module)};
const [, path] = process.argv;
await ${call}.catch(({ code, message }) => console.log(code, message));`;
  const node = [process.execPath, "--conditions=@iapo/source", "--input-type=module", "-e", program, path];
  return spawnSync("bash", ["-c", 'ulimit -f 4; exec "$@"', "bash", ...node], { encoding: "utf8" }).stdout;
}

describe.runIf(process.platform !== "win32")("a write that fails half way", () => {
  const failure = /^write_failed .*file cannot be written: EFBIG.*; raise the limit of file sizes/;

  test("leaves the old content alone, and nothing beside it", async () => {
    const place = await directory();
    await writeFile(join(place, "file"), "old");
    expect(limited('writeFileAtomic(path, "new".repeat(1e4))', join(place, "file"))).toMatch(failure);
    expect(await readdir(place)).toEqual(["file"]);
    expect(await readFile(join(place, "file"), "utf8")).toBe("old");
  });

  test("leaves no part of a line", async () => {
    const path = join(await directory(), "file");
    await appendLine(path, { a: "ü" });
    await appendLine(path, { b: 2 });
    expect(limited('appendLine(path, { c: "new".repeat(1e4) })', path)).toMatch(failure);
    expect(await readFile(path, "utf8")).toBe('{"a":"ü"}\n{"b":2}\n');
  });
});

test.skipIf(process.platform === "win32")("what is no file is neither replaced nor waited for", async () => {
  const place = await directory();
  const pipe = join(place, "step-000000.jsonl");
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  await expect(writeFileAtomic(pipe, "x")).rejects.toThrow("what is there is no regular file");
  await expect(checkRegularFile(pipe)).rejects.toThrow("it is not a regular file");
  await expect(listSteps(place)).rejects.toThrow("step-000000.jsonl cannot be read: it is not a regular file");
  await expect(openJournal(pipe, z.strictObject({}))).rejects.toThrow("it is not a regular file");
  expect(await readdir(place)).toEqual(["step-000000.jsonl"]);
});
