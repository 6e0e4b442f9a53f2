import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeDirectory } from "../src/files/directories.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "directories-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("several that make one directory at once all have it", async () => {
  for (let run = 0; run < 50; run++) {
    const path = join(root, `${run}`, "a", "b", "c");
    await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
    expect(statSync(path).isDirectory()).toBe(true);
  }
});

test("a file in its place is named", async () => {
  writeFileSync(join(root, "file"), "");
  await expect(makeDirectory(join(root, "file", "below"))).rejects.toThrow("a file is in its place");
});
