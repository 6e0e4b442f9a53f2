/** Rows as they are published or commonly written. Contents are made up. */

import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePng } from "@iapo/visual-tools/sharp";
import { expect, test } from "vitest";
import { localFiles } from "../src/loaders/files.ts";
import type { DataFormat } from "../src/loaders/formats.ts";
import { loadRecords, loadTasks } from "../src/loaders/load.ts";
import { drawable, textWidth } from "../src/render/font.ts";
import { uniqueNames } from "../src/render/picture.ts";
import { integer, text, writeParquet } from "./parquet-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "published-"));
const png = Buffer.from(await encodePng({ width: 8, height: 8, channels: 3, data: new Uint8Array(192) }));
writeFileSync(join(folder, "a.png"), png);
mkdirSync(join(folder, "csv"));

async function load(format: DataFormat, name: string, content: string | Uint8Array) {
  const path = join(folder, name);
  writeFileSync(path, content);
  const stream = loadTasks({ format, files: await localFiles(path), images: folder, tables: folder, onBadRow: "skip" });
  const tasks = [];
  for await (const task of stream) tasks.push(task);
  return { tasks, reasons: stream.report.badRows.map(({ reason }) => reason) };
}
const row = (format: DataFormat, value: object, name = "rows.jsonl") => load(format, name, JSON.stringify(value));

test.each([
  ["vtabfact.jsonl", { qa_id: "1-1.html.csv_0", question: "peru win 2 medal", gt: 1 }, "vtabfact", ["true"]],
  ["test.jsonl", { qa_id: "1-1.html.csv_0", question: "peru win 2 medal", gt: "0" }, "vtabfact", ["false"]],
  ["x.jsonl", { qa_id: "1", subset: "vtabfact", question: "peru win 2 medal", gt: 0 }, "vtabfact", ["false"]],
  [
    "vwtq-00000-of-00001.jsonl",
    { qa_id: "nu-1", question: "who?", gt: "Ann Low|Bo Hay" },
    "vwtq",
    ["Ann Low", "Bo Hay"],
  ],
  ["vwtq_syn.jsonl", { qa_id: "nu-1", question: "who?", gt: "a\\pb|c\\\\d" }, "vwtq_syn", ["a|b", "c\\d"]],
  ["x.jsonl", { qa_id: "nu-1", split: "vwtq_syn", question: "who?", gt: 5 }, "vwtq_syn", ["5"]],
  ["fintabnetqa.jsonl", { qa_id: "f", question: "how much?", gt: "$1.2 million" }, "fintabnetqa", ["$1.2 million"]],
])("TableVQA-Bench: %s %j", async (name, value, source, answers) => {
  const { tasks, reasons } = await row("tablevqabench", { ...value, image: "a.png" }, name);
  expect(reasons).toEqual([]);
  expect(tasks).toMatchObject([{ source, content: { answers } }]);
});

test("CharXiv: the hub's columns, the repository's entries, numbers as answers", async () => {
  const hub = {
    figure_path: "images/7.jpg",
    image: { bytes: png.toString("base64"), path: null },
    subplot_loc: [],
    reasoning_q: "Which?",
  };
  const asked = { reasoning_a: 5, descriptive_q1: 1, descriptive_a1: "T", descriptive_q2: 19, descriptive_a2: 2 };
  const { tasks, reasons } = await row("charxiv", { ...hub, ...asked });
  expect(reasons).toEqual([]);
  expect(tasks.map(({ id, content }) => [id, content.answers[0]])).toEqual([
    ["7/reasoning", "5"],
    ["7/descriptive/1", "T"],
    ["7/descriptive/2", "2"],
  ]);
  const repository = { 0: { figure_id: 0, query: "How many?", answer: 3, image: "a.png" } };
  expect((await load("charxiv", "reasoning_val.json", JSON.stringify(repository))).tasks).toMatchObject([
    { content: { answers: ["3"] } },
  ]);
});

test("ChartQA: the repository's rows, and those of its copies on the hub", async () => {
  const own = [
    { imgname: "a.png", query: "How many?", label: "5" },
    { imgname: "a.png", query: "Which?", label: "[Red, Blue]" },
  ];
  expect(await load("chartqa", "test_human.json", JSON.stringify(own))).toMatchObject({
    reasons: [],
    tasks: [
      { id: "a.png/1", source: "chartqa", content: { answers: ["5"] } },
      { id: "a.png/2", content: { answers: ["[Red, Blue]"] } },
    ],
  });
  const image = { bytes: png.toString("base64"), path: null };
  expect(await row("chartqa", { image, query: "How many?", label: ["5"], human_or_machine: 0 })).toMatchObject({
    reasons: [],
    tasks: [{ id: "row/1", content: { answers: ["5"] } }],
  });
});

const chart = {
  id: "a",
  question: "Which?",
  answer: "B",
  image: "a.png",
  source: "chartqa_h_bar",
  y_values: ["A"],
  y_values_bbox: [{ x1: 0, y1: 0, x2: 5, y2: 5 }],
};
const dataUrl = `data:image/png;base64,${png.toString("base64")}`;

test.each<[string, DataFormat, object]>([
  ["a data URL", "refocus", { ...chart, image: dataUrl }],
  ["bare base64", "refocus", { ...chart, image: png.toString("base64") }],
  ["base64 as bytes", "refocus", { ...chart, image: { bytes: png.toString("base64") } }],
  ["a data URL in own tasks", "tasks", { id: "1", image: dataUrl, question: "?", answers: ["x"] }],
  ["numbers as id, answer and names", "refocus", { ...chart, id: 17, answer: 4.5, y_values: [2010] }],
  ["boxes as four numbers", "refocus", { ...chart, y_values_bbox: [[0, 0, 5, 5]] }],
  ["a box without a name", "refocus", { ...chart, y_values: [""] }],
  ["numbers in own tasks", "tasks", { id: 3, image: "a.png", question: "?", answers: [5] }],
])("%s", async (_, format, value) => {
  const { tasks, reasons } = await row(format, value);
  expect(reasons).toEqual([]);
  expect(tasks).toHaveLength(1);
});

test("64-bit integers of parquet are ids and answers", async () => {
  const metadata = JSON.stringify({ type: "v_bar", x_values_bbox: { A: { x1: 1, y1: 1, x2: 20, y2: 40 } } });
  const columns = [integer("figure_id"), text("query"), integer("answer"), text("metadata")];
  const bytes = writeParquet(columns, [{ figure_id: 7n, query: "How many?", answer: 42n, metadata }]);
  writeFileSync(join(folder, "int64.parquet"), bytes);
  const records = loadRecords({
    format: "vtool_v1",
    files: await localFiles(join(folder, "int64.parquet")),
    onBadRow: "fail",
  });
  for await (const record of records) expect(record).toMatchObject({ id: "7/1", answers: ["42"] });
  expect(records.report.loaded).toBe(1);
});

test("32-bit floats of parquet are the numbers that were written", async () => {
  const value = Math.fround(0.1);
  const { tasks } = await row("tasks", { id: 1, image: "a.png", question: "?", answers: [value, 0.1, 1e-7, 5.25] });
  expect(tasks[0]?.content.answers).toEqual(["0.1", "0.1", "1e-7", "5.25"]);
});

test.each([
  ["an id", { id: 2 ** 53 + 2, answers: ["x"] }],
  ["an answer", { id: 1, answers: [2 ** 60] }],
])("%s beyond 2^53, which JSON rounds, is refused", async (_, value) => {
  const { reasons } = await row("tasks", { image: "a.png", question: "?", ...value });
  expect(reasons.join()).toMatch(/expected a whole number beyond 2\^53 as text/);
});

test("WikiTableQuestions and TabFact on the hub: the table stands in its row", async () => {
  const table = { header: ["Name", ""], rows: [["Ann", "2"]], name: "csv/204-csv/1.csv" };
  const wiki = await row("wikitablequestions", { id: "nt-0", question: "how many?", answers: ["2"], table });
  expect(wiki.reasons).toEqual([]);
  expect(wiki.tasks).toMatchObject([
    { id: "nt-0", source: "wikitablequestions-rendered", content: { answers: ["2"], rows: [{ name: "Name" }, {}] } },
  ]);
  expect(wiki.tasks[0]?.content.columns.map(({ name }) => name)).toEqual(["Name", "column 2"]);
  const fact = { id: 0, table_id: "1-1.html.csv", table_text: "name#goals\nann#2\n", table_caption: "c" };
  const tabfact = await row("tabfact", { ...fact, statement: "ann has 2 goals", label: 1 });
  expect(tabfact.reasons).toEqual([]);
  expect(tabfact.tasks).toMatchObject([{ id: "0", source: "tabfact-rendered", content: { answers: ["true"] } }]);
  expect((await row("tabfact", { ...fact, statement: "s", label: 2 })).reasons.join()).toMatch(
    /label: expected 1 or 0/,
  );
});

test.each([
  ["data:image/png;charset=utf-8;base64,", /^$/],
  ["data:application/octet-stream;base64,", /^$/],
  ["DATA:;BASE64,", /^$/],
  ["data:image/svg+xml,", /^image: a data URL without base64$/],
  ["data:image/png;base64,%", /^image: a data URL whose base64 holds other characters$/],
])("a picture behind %s", async (start, reason) => {
  const { reasons } = await row("refocus", { ...chart, image: `${start}${png.toString("base64")}` });
  expect(reasons.join()).toMatch(reason);
});

test.each([[{ bytes: [...png] }], [png.toJSON()], [7], [true], [{}]])(
  "a picture of another form is not called a missing one: %#",
  async (image) => {
    expect((await row("refocus", { ...chart, image })).reasons.join()).toMatch(/^image: expected a path, base64/);
  },
);

test.each([
  ["an empty first header", '"","2010"\n"Ann","1"\n', ["column 1", "2010"], ["row 1", "Ann"]],
  ["an empty other header", '"Name",""\n"Ann","1"\n', ["Name", "column 2"], ["Name", "Ann"]],
  ["a row without a name", '"Name","Goals"\n"Ann","1"\n"","2"\n', ["Name", "Goals"], ["Name", "Ann", "row 3"]],
  ["a byte order mark", '\ufeff"Year","Goals"\n"1990","3"\n', ["Year", "Goals"], ["Year", "1990"]],
  ["other scripts", '"Name","題名"\n"Ann","東京物語"\n', ["Name", "題名"], ["Name", "Ann"]],
  ["characters of no width", '"Name","T"\n"Ann","a\u200bb\u00ad"\n', ["Name", "T"], ["Name", "Ann"]],
  ["a control character", '"Name","T"\n"Ann","a\u0001b"\n', ["Name", "T"], ["Name", "Ann"]],
  ["300 rows", `"Name","T"\n${'"Ann","a long cell of text"\n'.repeat(300)}`, ["Name", "T"], undefined],
])("a table with %s is drawn", async (_, csv, columns, rows) => {
  writeFileSync(join(folder, "csv/1.csv"), csv);
  const { tasks, reasons } = await load(
    "wikitablequestions",
    "q.tsv",
    "id\tutterance\tcontext\ttargetValue\nnt-1\thow many?\tcsv/1.csv\t2\n",
  );
  expect(reasons).toEqual([]);
  expect(tasks[0]?.content.columns.map(({ name }) => name)).toEqual(columns);
  if (rows) expect(tasks[0]?.content.rows.map(({ name }) => name)).toEqual(rows);
});

test("a character without a glyph is a visible box, one of no width is left out", () => {
  expect(drawable("a東\u200bb")).toBe("a\u25a1b");
  expect(drawable("e\u0301")).toBe("é");
  expect(textWidth(drawable("東"), 20)).toBeGreaterThan(5);
});

test.each([
  ["rows.jsonl", Buffer.from('{"id":"Café"}', "latin1"), /not UTF-8; save the file/],
  ["rows.jsonl", Buffer.from('{"id":"a"}\n', "utf16le"), /not UTF-8.*UTF-16/],
  ["lines.json", '{"id":"a"}\n{"id":"b"}\n', /JSON Lines; call the file \.jsonl/],
  [
    "pointer.jsonl",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    /pointer of Git LFS.*git lfs pull/,
  ],
  ["t.csv", "a,b\n1,2\n", /a \.csv file is a table/],
  ["t.txt", "a", /rows are read from \.json, \.jsonl/],
  ["bad.jsonl.gz", "not gzip", /bad\.jsonl\.gz: ./],
  ["deep.jsonl", `{"id":${"[".repeat(1e6)}${"]".repeat(1e6)}}`, /id: expected text or a number/],
])("%s is named: %#", async (name, content, reason) => {
  const found = await load("tasks", name, content).then(
    ({ reasons }) => reasons.join(),
    (error: Error) => error.message,
  );
  expect(found).toMatch(reason);
});

test("messages say what was expected and where in the row, and never repeat a picture", async () => {
  const reason = async (format: DataFormat, value: object) => (await row(format, value)).reasons.join();
  expect(await reason("refocus", { ...chart, answer: null })).toMatch(
    /^answer: expected an answer as text or a number/,
  );
  expect(await reason("refocus", { ...chart, y_values_bbox: [{ x1: 0 }] })).toMatch(
    /^y_values_bbox\[0\]: expected a box/,
  );
  expect(await reason("refocus", { ...chart, image: `data:image/png;base64,${"A".repeat(2e5)}` })).not.toMatch(
    /A{100}/,
  );
  expect((await reason("refocus", { ...chart, image: "x".repeat(1000) })).length).toBeLessThan(300);
});

test("an id given twice is a bad row", async () => {
  const task = JSON.stringify({ id: "a", image: "a.png", question: "?", answers: ["x"] });
  expect(await load("tasks", "twice.jsonl", `${task}\n${task}\n`)).toMatchObject({
    tasks: [{ id: "a" }],
    reasons: [/id "a" was given in \S+twice\.jsonl, row 1/].map((pattern) => expect.stringMatching(pattern)),
  });
});

test("links lead nowhere else, but from a hub's snapshot to its blobs", async () => {
  const outside = join(mkdtempSync(join(tmpdir(), "outside-")), "secret.png");
  writeFileSync(outside, png);
  symlinkSync(outside, join(folder, "link.png"));
  symlinkSync(join(outside, ".."), join(folder, "linked"));
  const task = (image: string) => row("tasks", { id: "1", image, question: "?", answers: ["x"] });
  expect((await task("link.png")).reasons).toEqual([expect.stringMatching(/leads out of/)]);
  expect((await task("linked/secret.png")).reasons).toEqual([expect.stringMatching(/leads out of/)]);
  symlinkSync("a.png", join(folder, "own.png"));
  expect((await task("own.png")).tasks).toHaveLength(1);
  const hub = join(folder, "datasets--a--b");
  mkdirSync(join(hub, "blobs"), { recursive: true });
  mkdirSync(join(hub, "snapshots/1"), { recursive: true });
  writeFileSync(join(hub, "blobs/f"), JSON.stringify({ id: "1", image: "a.png", question: "?", answers: ["x"] }));
  writeFileSync(join(hub, "blobs/p"), png);
  symlinkSync("../../blobs/f", join(hub, "snapshots/1/rows.jsonl"));
  symlinkSync("../../blobs/p", join(hub, "snapshots/1/a.png"));
  symlinkSync(outside, join(hub, "snapshots/1/other.jsonl"));
  const files = await localFiles(join(hub, "snapshots/1"));
  expect(files.map(({ name }) => name)).toEqual(["rows.jsonl"]);
  let count = 0;
  for await (const _ of loadTasks({ format: "tasks", files, images: join(hub, "snapshots/1"), onBadRow: "fail" }))
    count += 1;
  expect(count).toBe(1);
});

test("long paths, many names and long texts cost little and are refused", async () => {
  const begun = process.cpuUsage();
  expect(
    (await row("tasks", { id: "1", image: `${"a/".repeat(100_000)}x.png`, question: "?", answers: ["x"] })).reasons,
  ).toHaveLength(1);
  expect(uniqueNames(Array(100_000).fill("a"), "column").at(-1)).toBe("a (100000)");
  const long = { id: "1", image: "a.png", question: "Why ".repeat(20_000), answers: ["x"] };
  expect((await row("tasks", long)).reasons.join()).toMatch(/80000 characters in the question, more than 8192/);
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1000).toBeLessThan(2000);
});
