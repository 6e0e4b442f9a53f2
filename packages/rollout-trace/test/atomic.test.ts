/** A file under its final name is whole: beside full disks, limits on file size, other writers. */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeFileAtomic } from "../src/files/index.ts";

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

test.runIf(process.platform !== "win32")("a write that fails half way leaves the old content alone", async () => {
  const place = await directory();
  const path = join(place, "file");
  await writeFile(path, "old");
  const module = join(import.meta.dirname, "../src/files/index.ts");
  const program = `import { writeFileAtomic } from ${JSON.stringify(module)};
await writeFileAtomic(process.argv[1], "new".repeat(1e4)).catch(({ code, message }) => console.log(code, message));`;
  const node = [process.execPath, "--conditions=@iapo/source", "--input-type=module", "-e", program, path];
  const limited = spawnSync("bash", ["-c", 'ulimit -f 4; exec "$@"', "bash", ...node], { encoding: "utf8" });
  expect(limited.stdout, limited.stderr).toMatch(/^write_failed .*file cannot be written: EFBIG/);
  expect(await readdir(place)).toEqual(["file"]);
  expect(await readFile(path, "utf8")).toBe("old");
});
