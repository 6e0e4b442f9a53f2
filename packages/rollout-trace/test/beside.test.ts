// What is written beside its place says whose it is, and goes when that process has ended.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { besideOf, isRunning, removeAbandoned, writeAdvice } from "../src/files/index.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "beside-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const ended = spawnSync("true").pid;
const host = hostname().replace(/[^\w-]/g, "_");
const abandoned = (name: string, on = host, pid = ended): string => `${name}.${on}-${pid}-0123456789ab.partial`;

test("names are this process's own, each another", () => {
  const names = Array.from({ length: 100 }, () => basename(besideOf(join(root, "file"))));
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(new RegExp(`^file\\.${host}-${process.pid}-[0-9a-f]{12}\\.partial$`));
  expect([isRunning(process.pid), isRunning(ended)]).toEqual([true, false]);
});

test("of those who have ended it goes, files and folders, one folder deep; of others it stays", async () => {
  const place = join(root, "place");
  const inner = join(place, "images");
  mkdirSync(join(inner, "deep"), { recursive: true });
  mkdirSync(join(place, abandoned("model")));
  const going = [join(place, abandoned("run.json")), join(inner, abandoned("a.png"))];
  const staying = [
    besideOf(join(place, "run.json")),
    join(place, abandoned("run.json", "elsewhere")),
    join(place, "run.json"),
    join(place, `run.json.${host}-${ended}-0123.partial`),
    join(place, "notes.partial"),
    join(inner, "deep", abandoned("b.png")),
  ];
  for (const file of [...going, ...staying]) writeFileSync(file, "");
  writeFileSync(join(place, abandoned("model"), "weights"), "");
  await removeAbandoned(place);
  const left = readdirSync(place, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(left.map(({ parentPath, name }) => join(parentPath, name)).sort()).toEqual(staying.sort());
  expect(readdirSync(place)).not.toContain(abandoned("model"));
});

test("for one name only that name's, and a folder that is not there is no error", async () => {
  const place = join(root, "one");
  mkdirSync(place);
  for (const name of ["out", "outer", "out.b", abandoned("out")]) writeFileSync(join(place, abandoned(name)), "");
  mkdirSync(join(place, "inner"));
  writeFileSync(join(place, "inner", abandoned("out")), "");
  await removeAbandoned(place, "outer");
  expect(readdirSync(place, { recursive: true }).length).toBe(5);
  await removeAbandoned(place, "out");
  expect(readdirSync(place, { recursive: true }).sort()).toEqual([
    "inner",
    join("inner", abandoned("out")),
    abandoned("out.b"),
  ]);
  await removeAbandoned(join(root, "nowhere"));
});

test.each([
  ["ENOSPC", "make room on its disk"],
  ["EROFS", "its disk is read-only"],
  ["EACCES", "look at the permissions"],
  ["ENOENT", "its folder is gone"],
  ["EFBIG", "ulimit -f"],
  ["EIO", "look at its disk"],
])("%s: %s", (code, advice) => {
  const cause = Object.assign(new Error("of the system"), { code });
  expect(writeAdvice(cause)).toContain(advice);
  expect(writeAdvice(new Error("of a package", { cause }))).toContain(advice);
});
