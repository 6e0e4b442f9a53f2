/** Journals: records come back in order, whatever a killed process or a full disk has left behind; damage is named. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openJournal } from "../src/files/index.ts";

const schema = z.strictObject({ key: z.string(), value: z.number() });
type Entry = z.infer<typeof schema>;
const entries = (from: number, count: number): Entry[] =>
  Array.from({ length: count }, (_, i) => ({ key: `é ${from + i}`, value: (from + i) / 3 }));

let root: string;
let count = 0;
const file = (): string => join(root, `deep/${count++}/journal.jsonl`);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "journal-"));
});
afterAll(() => rm(root, { recursive: true }));

async function write(path: string, records: readonly Entry[]): Promise<readonly Entry[]> {
  const journal = await openJournal(path, schema);
  await Promise.all(records.map((record) => journal.append(record)));
  await journal.close();
  return journal.records;
}

test("what was appended is there before the call returns, and comes back in the order of the calls", async () => {
  const path = file();
  const journal = await openJournal(path, schema);
  for (const entry of entries(0, 3)) {
    await journal.append(entry);
    expect(await readFile(path, "utf8")).toContain(`"${entry.key}"`);
  }
  await journal.close();
  expect(await write(path, entries(3, 50))).toEqual(entries(0, 3));
  expect(await write(path, [])).toEqual(entries(0, 53));
});

test("without a record there is no file; a place that cannot be written to is told to who appends", async () => {
  const path = file();
  expect(await write(path, [])).toEqual([]);
  expect(existsSync(dirname(path))).toBe(false);
  const blocked = await openJournal(join(root, "blocked/journal.jsonl"), schema);
  await writeFile(join(root, "blocked"), "");
  await expect(blocked.append(entries(0, 1)[0]!)).rejects.toMatchObject({ code: "write_failed" });
  await blocked.close();
});

test("cut anywhere, a journal gives its whole lines and goes on after them", async () => {
  const path = file();
  await write(path, entries(0, 3));
  const whole = await readFile(path);
  for (let length = 0; length <= whole.length; length++) {
    await writeFile(path, whole.subarray(0, length));
    const kept = whole.subarray(0, length).filter((byte) => byte === 0x0a).length;
    expect(await write(path, entries(kept, 1))).toEqual(entries(0, kept));
    expect(await write(path, [])).toEqual(entries(0, kept + 1));
  }
});

test("a changed byte, a missing line and a foreign record are named by file and line", async () => {
  const path = file();
  await write(path, entries(0, 3));
  const whole = await readFile(path);
  const lines = whole.toString().split("\n");
  const damaged = Buffer.from(whole);
  damaged[lines[0]!.length + 12]! ^= 1;
  await writeFile(path, damaged);
  await expect(openJournal(path, schema)).rejects.toMatchObject({
    code: "corrupt",
    message: expect.stringContaining(`${path}, line 2: `),
  });
  await writeFile(path, [lines[0], lines[2], ""].join("\n"));
  await expect(openJournal(path, schema)).rejects.toMatchObject({ code: "corrupt" });
  await writeFile(path, whole);
  await expect(openJournal(path, z.strictObject({ key: z.string() }))).rejects.toMatchObject({ code: "invalid" });
  await appendFile(path, "{}\n");
  await expect(openJournal(path, schema)).rejects.toThrow(`${path}, line 4: `);
});

test.runIf(process.platform !== "win32")(
  "a disk without room is an error; what was acknowledged is there, and with room it goes on",
  async () => {
    const path = join(root, "full.jsonl");
    const child = ["--conditions=@iapo/source", join(import.meta.dirname, "write-journal.ts"), path];
    const shell = ["-c", 'ulimit -f 4; exec "$@"', "bash", process.execPath, ...child];
    const said = JSON.parse(spawnSync("bash", shell, { encoding: "utf8" }).stdout);
    expect(said).toMatchObject({ code: "write_failed", again: "write_failed" });
    expect(said.message).toMatch(/full\.jsonl cannot be written: .*raise the limit of file sizes.*, then resume/);
    expect(said.written).toBeGreaterThan(50);
    const keys = z.strictObject({ key: z.string() });
    const journal = await openJournal(path, keys);
    expect(journal.records).toEqual(Array.from({ length: said.written }, (_, i) => ({ key: `record ${i}` })));
    await journal.append({ key: "more" });
    await journal.close();
    const reopened = await openJournal(path, keys);
    await reopened.close();
    expect(reopened.records.at(-1)).toEqual({ key: "more" });
  },
);
