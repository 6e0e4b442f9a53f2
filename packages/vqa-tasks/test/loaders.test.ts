/** Every format from files made here, by writers of their own; bad rows are named, and no file can do harm. */

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { encodePng } from "@iapo/visual-tools/sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { localFiles } from "../src/loaders/files.ts";
import { type LoadOptions, type LoadReport, loadRecords, loadTasks } from "../src/loaders/load.ts";
import type { PictureFolders } from "../src/loaders/pictures.ts";
import type { TaskRecord } from "../src/loaders/record.ts";
import type { VisualContent, VisualTask } from "../src/task.ts";
import { bytes, double, integer, list, struct, text, writeParquet } from "./parquet-writer.ts";

let folder = "";
let png: Uint8Array = new Uint8Array();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vqa-tasks-"));
  png = await encodePng({ width: 100, height: 50, channels: 3, data: new Uint8Array(15_000).fill(200) });
  await put("images/val/png/a.png", png);
});
afterAll(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

type FlatTask = Omit<VisualTask, "content"> & VisualContent;

async function load(
  format: LoadOptions["format"],
  path: string,
  options: Partial<LoadOptions & PictureFolders> = {},
): Promise<{ tasks: FlatTask[]; report: LoadReport }> {
  const stream = loadTasks({ format, files: await localFiles(path), onBadRow: "fail", ...options });
  const tasks: FlatTask[] = [];
  for await (const { content, ...task } of stream) tasks.push({ ...task, ...content });
  return { tasks, report: stream.report };
}

const box = (x1: number, y1: number, x2: number, y2: number) => ({ x1, y1, x2, y2 });
const chartRow = {
  id: "a",
  question: "Which is longer?",
  answer: ["2010", "2009"],
  image: "ChartQA/ChartQA Dataset/val/png/a.png",
  source: "chartqa_h_bar",
  split: "val",
  x_values: [],
  y_values: ["2010", "2009"],
  x_values_bbox: [],
  y_values_bbox: [box(5, 2, 95, 20), box(5, 21, 95, 40)],
  figure_bbox: box(5, 2, 95, 40),
};
const chartTask = {
  question: "Which is longer?",
  answers: ["2010", "2009"],
  columns: [],
  rows: [
    { name: "2010", x1: 5, y1: 2, x2: 95, y2: 20 },
    { name: "2009", x1: 5, y1: 21, x2: 95, y2: 40 },
  ],
  orientation: "rows",
  image: { width: 100, height: 50, channels: 3 },
};

test("ReFocus chart rows as JSON Lines, gzipped, as a JSON list and as an object of records", async () => {
  const images = join(folder, "images");
  const line = JSON.stringify(chartRow);
  for (const path of [
    await put("refocus.jsonl", `${line}\n\n${line}\r\n`),
    await put("refocus-gz/rows.jsonl.gz", gzipSync(`${line}\n${line}`)),
    await put("list.json", JSON.stringify([chartRow, chartRow])),
    await put("object.json", JSON.stringify({ first: chartRow, second: chartRow })),
  ]) {
    const { tasks } = await load("refocus", path, { images });
    expect(tasks, path).toMatchObject([chartTask, chartTask]);
    expect(new Set(tasks.map((task) => task.id)).size).toBe(2);
  }
});

test("ReFocus parquet: images inside, boxes as lists of corners, names that look like numbers keep their order", async () => {
  const corners = struct("y_values_bbox", ...["x1", "y1", "x2", "y2"].map((name) => list(name, integer)));
  const columns = [
    text("id"),
    text("question"),
    text("answer"),
    struct("image", bytes("bytes"), text("path")),
    text("source"),
    list("x_values", text),
    list("y_values", text),
    corners,
  ];
  const row = {
    ...chartRow,
    answer: "2010|||2009",
    image: { bytes: png, path: null },
    y_values_bbox: { x1: [5n, 5n], y1: [2n, 21n], x2: [95n, 95n], y2: [20n, 40n] },
  };
  const path = await put(
    "refocus.parquet",
    writeParquet(
      columns,
      Array.from({ length: 70 }, () => row),
    ),
  );
  const { tasks, report } = await load("refocus", path);
  expect(report).toEqual({ rows: 70, loaded: 70, skipped: 0, badRows: [] });
  expect(tasks[69]).toMatchObject({ ...chartTask, id: "a/70" });
});

test("ReFocus tables state fractions, which become pixels", async () => {
  const row = {
    figure_id: "t1",
    query: "How many?",
    answer: "3",
    figure_path: "a.png",
    column_headers: ["Year", "Goals"],
    row_starters: ["Year", "1990", "1990"],
    columns_bbox: [box(0, 0, 0.5, 1), box(0.5, 0, 1, 1)],
    rows_bbox: [box(0, 0, 1, 0.2), box(0, 0.2, 1, 0.6), box(0, 0.6, 1, 1)],
    table_bbox: box(0, 0, 1, 1),
  };
  const path = await put("tables.json", JSON.stringify({ t1: row }));
  const { tasks } = await load("refocus", path, { images: join(folder, "images/val/png") });
  expect(tasks[0]).toMatchObject({
    columns: [
      { name: "Year", x1: 0, y1: 0, x2: 50, y2: 50 },
      { name: "Goals", x1: 50, y1: 0, x2: 100, y2: 50 },
    ],
    rows: [{ name: "Year" }, { name: "1990" }, { name: "1990 (2)", y1: 30, y2: 50 }],
  });
  expect(tasks[0]?.orientation).toBeUndefined();
});

test("VTool-R1 v1: metadata as JSON text, and as a struct that gives every row the labels of all rows", async () => {
  const head = [
    text("figure_id"),
    text("figure_path"),
    text("query"),
    text("prompt"),
    text("answer"),
    list("images", bytes),
  ];
  const row = {
    figure_id: "a",
    figure_path: "a.png",
    query: "Which?",
    prompt: "<image>",
    answer: "2010|||2009",
    images: [png],
  };
  const type = "v_bar";
  const boxes = { "2010": box(1, 1, 20, 40), "2009": box(21, 1, 40, 40) };
  const asText = await put(
    "v1-text.parquet",
    writeParquet(
      [text("metadata"), ...head],
      [
        {
          ...row,
          metadata: JSON.stringify({ type, figure_bbox: null, x_values_bbox: boxes, y_values_bbox: { x1: "none" } }),
        },
        {
          ...row,
          metadata: JSON.stringify({
            type: "table",
            columns_bbox: { A: box(0, 0, 9, 9) },
            row_starters: { b: box(0, 0, 9, 9) },
          }),
        },
      ],
    ),
  );
  const fromText = await load("vtool_v1", asText);
  expect(fromText.tasks[0]).toMatchObject({
    answers: ["2010", "2009"],
    orientation: "columns",
    rows: [],
    columns: { length: 2 },
  });
  expect(fromText.tasks[1]).toMatchObject({ columns: [{ name: "A" }], rows: [{ name: "b" }], source: "tablevqa" });

  const corners = ["x1", "y1", "x2", "y2"].map(double);
  const metadata = struct(
    "metadata",
    text("type"),
    struct("x_values_bbox", struct("Mine", ...corners), struct("Other's", ...corners)),
  );
  const asStruct = await put(
    "v1-struct.parquet",
    writeParquet(
      [metadata, ...head],
      [{ ...row, metadata: { type, x_values_bbox: { Mine: box(1, 1, 20, 40), "Other's": null } } }],
    ),
  );
  expect((await load("vtool_v1", asStruct)).tasks[0]?.columns).toEqual([{ name: "Mine", ...box(1, 1, 20, 40) }]);
});

test("VTool-R1 v2: chat messages, ground truth and tools_kwargs", async () => {
  const columns = [
    text("data_source"),
    list("prompt", (name) => struct(name, text("role"), text("content"))),
    list("images", (name) => struct(name, bytes("bytes"), text("path"))),
    struct("reward_model", text("ground_truth"), text("style")),
    struct(
      "extra_info",
      integer("index"),
      text("question"),
      text("split"),
      struct("tools_kwargs", text("name"), text("metadata")),
    ),
  ];
  const metadata = {
    source: "chartqa_h_bar",
    y_values: ["2010", "2009"],
    y_values_bbox: { "2009": box(5, 21, 95, 40), "2010": box(5, 2, 95, 20) },
  };
  const row = {
    data_source: "ReFocus",
    prompt: [{ role: "user", content: "<image> Which is longer?" }],
    images: [{ bytes: png, path: null }],
    reward_model: { ground_truth: "2010|||2009", style: "rule" },
    extra_info: {
      index: 4n,
      question: "Which is longer?",
      split: "val",
      tools_kwargs: { name: "refocus", metadata: JSON.stringify(metadata) },
    },
  };
  const path = await put("v2.parquet", writeParquet(columns, [row]));
  expect((await load("vtool_v2", path)).tasks[0]).toMatchObject({
    ...chartTask,
    id: "4/1",
    source: "chartqa_h_bar",
    split: "val",
  });
});

test("WikiTableQuestions and TabFact in the source's own form are rendered, with boxes for every column and row", async () => {
  await put("source/csv/200-csv/3.csv", '"Year","Said \\"so\\"","Back\\\\slash"\n"1990","a, b","c\nd"\n"1991","",""\n');
  const wiki = await put(
    "wiki/training.tsv",
    "id\tutterance\tcontext\ttargetValue\nnt-0\twhat \\p that?\tcsv/200-csv/3.csv\ta, b|x\\py\n",
  );
  const { tasks } = await load("wikitablequestions", wiki, { tables: join(folder, "source") });
  expect(tasks[0]).toMatchObject({
    id: "nt-0",
    question: "what | that?",
    answers: ["a, b", "x|y"],
    source: "wikitablequestions-rendered",
    columns: [{ name: "Year" }, { name: 'Said "so"' }, { name: "Back\\slash" }],
    rows: [{ name: "Year" }, { name: "1990" }, { name: "1991" }],
  });
  await put("source/all_csv/2-1.html.csv", "name#team\nann#red\nbob#blue\n");
  const facts = await put(
    "facts.json",
    JSON.stringify({ "2-1.html.csv": [["ann is red", "bob is red"], [1, 0], "caption"] }),
  );
  const checked = await load("tabfact", facts, { tables: join(folder, "source/all_csv") });
  expect(checked.tasks.map(({ id, question, answers }) => [id, question, ...answers])).toEqual([
    ["2-1.html.csv#0", "True or false: ann is red", "true"],
    ["2-1.html.csv#1", "True or false: bob is red", "false"],
  ]);
  expect(checked.tasks[0]?.rows.map((row) => row.name)).toEqual(["name", "ann", "bob"]);
});

test("TableVQA-Bench: an image where there is one, a rendered table where there is its source", async () => {
  const rows = [
    { qa_id: "nu-1", subset: "vwtq", question: "?", gt: "2", image: "a.png" },
    { qa_id: "nu-2", subset: "vwtq", question: "?", gt: "2", source_table: "csv/200-csv/3.csv" },
    { qa_id: "nu-3", subset: "vwtq", question: "?", gt: "2" },
  ];
  const path = await put("bench.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
  const options = { images: join(folder, "images/val/png"), tables: join(folder, "source"), onBadRow: "skip" as const };
  await put("source/csv/200-csv/3.csv", '"Year","Goals"\n"1990","2"\n');
  const { tasks, report } = await load("tablevqabench", path, options);
  expect(tasks.map((task) => task.source)).toEqual(["vwtq", "vwtq-rendered"]);
  expect(report).toMatchObject({
    rows: 3,
    loaded: 2,
    skipped: 1,
    badRows: [{ file: path, row: 3, reason: expect.stringMatching(/get the images/) }],
  });
});

test("CharXiv: reasoning, descriptive and flat rows; images that are missing say how to get them", async () => {
  const path = await put(
    "charxiv.json",
    JSON.stringify({
      "0": { figure_id: 0, query: "Which?", answer: "A", inst_category: 1 },
      "2": { figure_id: 2, num_subplots: 2, subplot_loc: [1, 2], qids: [1, 19], answers: ["T", "2"] },
    }),
  );
  const stream = loadRecords({ format: "charxiv", files: await localFiles(path), onBadRow: "fail" });
  const records: TaskRecord[] = [];
  for await (const record of stream) records.push(record);
  expect(records.map(({ id, answers }) => [id, ...answers])).toEqual([
    ["0/reasoning", "A"],
    ["2/descriptive/1", "T"],
    ["2/descriptive/2", "2"],
  ]);
  expect(records[1]?.question).toContain("row 1 and column 2");
  await expect(load("charxiv", path)).rejects.toThrow(/row 1: 0\.jpg: .*CharXiv's image archive/);
});

test("bad rows are named by file and row, skipped and counted, or fatal", async () => {
  const images = join(folder, "images");
  const bad = [
    "{not json",
    JSON.stringify({ ...chartRow, answer: undefined }),
    JSON.stringify({ ...chartRow, y_values_bbox: [box(5, 2, 95, 20)] }),
    JSON.stringify({ ...chartRow, y_values_bbox: [box(5, 2, 95, 20), box(95, 21, 5, 40)] }),
    JSON.stringify({ ...chartRow, y_values_bbox: [box(5, 2, 95, 20), box(500, 21, 595, 40)] }),
    JSON.stringify({ ...chartRow, question: " " }),
    JSON.stringify({ ...chartRow, image: "../../../../etc/passwd" }),
    JSON.stringify({ ...chartRow, image: "elsewhere.png" }),
    "null",
    "[]",
  ];
  const path = await put("bad.jsonl", [...bad, JSON.stringify(chartRow)].join("\n"));
  const { tasks, report } = await load("refocus", path, { images, onBadRow: "skip" });
  expect(tasks).toHaveLength(1);
  expect(report).toMatchObject({ rows: 11, loaded: 1, skipped: 10 });
  expect(report.badRows.map((row) => row.row)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const reasons = [
    /not JSON/,
    /answer/,
    /2 names for 1 boxes/,
    /no area/,
    /outside/,
    /question is empty/,
    /could lead out/,
    /not found below .*ChartQA/,
  ];
  for (const [index, reason] of reasons.entries()) expect(report.badRows[index]?.reason).toMatch(reason);
  await expect(load("refocus", path, { images })).rejects.toThrow(/bad\.jsonl, row 1: not JSON/);
});

test("a consumer that stops or throws is not taken for a bad row", async () => {
  const path = await put("two.jsonl", `${JSON.stringify(chartRow)}\n${JSON.stringify(chartRow)}\n`);
  const stream = loadTasks({
    format: "refocus",
    files: await localFiles(path),
    onBadRow: "skip",
    images: join(folder, "images"),
  });
  await expect(
    (async () => {
      for await (const _ of stream) throw new Error("mine");
    })(),
  ).rejects.toThrow("mine");
  expect(stream.report).toMatchObject({ rows: 1, loaded: 1, skipped: 0 });
});

test("a missing file, and a folder without data, are told as such", async () => {
  await expect(localFiles(join(folder, "nowhere"))).rejects.toMatchObject({ code: "missing_file" });
  await expect(localFiles(join(folder, "images"))).rejects.toThrow(/no \.json/);
});

test.skipIf(process.platform === "win32")("a pipe is told of before anything waits for it", async () => {
  execFileSync("mkfifo", [join(folder, "pipe.jsonl")]);
  await expect(localFiles(join(folder, "pipe.jsonl"))).rejects.toThrow("pipe.jsonl: not a regular file");
});
