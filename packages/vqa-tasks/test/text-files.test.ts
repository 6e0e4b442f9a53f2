/** Text files as other systems and tools write them: ends of lines, endings of names, lists in place of lines, other marks between cells. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDelimited } from "../src/loaders/csv.ts";
import { type DataFile, localFiles } from "../src/loaders/files.ts";
import { readRows } from "../src/loaders/rows.ts";

const folder = mkdtempSync(join(tmpdir(), "text-files-"));

async function all(file: DataFile): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const row of readRows(file)) found.push("value" in row ? row.value : row.fault);
  return found;
}

async function read(name: string, content: string) {
  const path = join(folder, name);
  writeFileSync(path, content);
  const [file] = await localFiles(path);
  return file ? all(file) : [];
}

test.each([
  ["\r\n", "rows.jsonl"],
  ["\r", "rows.jsonl"],
  ["\n\r\n", "rows.jsonl"],
  ["\r\r", "ROWS.JSONL"],
])("lines end in %j", async (end, name) => {
  const rows = await read(name, [1, 2, 3].map((id) => JSON.stringify({ id })).join(end));
  expect(rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
});

test("lines are the same wherever a stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(99), fc.constantFrom("\n", "\r", "\r\n")), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (lines, size) => {
        const bytes = Buffer.from(lines.map(([id, end]) => `{"id":${id}}${end}`).join(""));
        const blob = {
          slice: () => new Blob([]),
          stream: async function* () {
            for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
          },
        };
        const rows = await all({ name: "rows.jsonl", open: async () => blob as unknown as Blob });
        expect(rows).toEqual(lines.map(([id]) => ({ id })));
      },
    ),
  );
});

test.each([
  ["a.tsv", "id\tutterance\r1\thow?\r2\twhen?\r", ["how?", "when?"]],
  ["b.TSV", "id\tutterance\r\n1\thow?\r\n", ["how?"]],
])("cells of %s", async (name, content, questions) => {
  const rows = await read(name, content);
  expect(rows).toMatchObject(questions.map((utterance) => ({ utterance })));
});

test.each([
  [
    "list.jsonl",
    '[{"id":1},{"id":2}]',
    /^a list, where a row is an object; where the file is one document, call it \.json$/,
  ],
  ["pretty.jsonl", '[\n  {\n    "id": 1\n  }\n]', /^not JSON: the line ends amid it; where the file is one document/],
])("%s is no file of lines, and that is said", async (name, content, fault) => {
  expect((await read(name, content))[0]).toMatch(fault);
});

test("tables: lines end in any way, a lone return in quotes stays, other marks than commas are told", () => {
  const want = [
    ["a", "b"],
    ["1", "2"],
  ];
  for (const end of ["\n", "\r\n", "\r"]) {
    expect(parseDelimited(["a,b", "1,2"].join(end), "rfc4180")).toEqual(want);
    expect(parseDelimited(['"a","b"', '"1","2"'].join(end), "wikitablequestions")).toEqual(want);
    expect(parseDelimited(["a#b", "1#2"].join(end), "tabfact")).toEqual(want);
  }
  expect(parseDelimited('"a\rb",c\n', "rfc4180")).toEqual([["a\rb", "c"]]);
  expect(() => parseDelimited("a;b\n1;2\n", "rfc4180")).toThrow(/parted by commas, here by ";"/);
  expect(() => parseDelimited("a\tb\n1\t2\n", "rfc4180")).toThrow(/parted by commas, here by "\\t"/);
  expect(parseDelimited("a; b,c\n1,2\n", "rfc4180")[0]).toEqual(["a; b", "c"]);
});
