// iapo data: inspect, convert and render, and what they refuse.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readImage } from "@iapo/visual-tools/sharp";
import type { VisualTask } from "@iapo/vqa-tasks";
import type { DataFormat } from "@iapo/vqa-tasks/loaders";
import { filesOf, readTasks } from "@iapo/vqa-tasks/sources";
import { expect, test } from "vitest";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";

async function load(path: string, format: DataFormat): Promise<VisualTask[]> {
  const tasks: VisualTask[] = [];
  for await (const task of readTasks(await filesOf({ path }), { format })) tasks.push(task);
  return tasks;
}

test("rendered charts are tasks that load again; converted to refocus and back, pixels, boxes and answers stay", async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const rendered = await iapo(["data", "render", "nano", "--count", "6", "--out", at("nano")]);
  expect(rendered.code, rendered.err).toBe(0);
  expect(readdirSync(at("nano/boxes"))).toEqual(readdirSync(at("nano/images")));
  const original = await load(at("nano/tasks.jsonl"), "tasks");
  expect(new Set(original.map(({ content }) => content.orientation))).toEqual(new Set(["columns", "rows"]));

  const [there, back] = [
    ["data", "convert", at("nano"), "--format", "tasks", "--to", "refocus", "--out", at("refocus")],
    ["data", "convert", at("refocus/refocus.jsonl"), "--format", "refocus", "--out", at("back")],
  ];
  expect((await iapo(there!)).out).toMatch(/^6 tasks and 6 pictures/);
  expect((await iapo(back!)).code).toBe(0);
  const again = await load(at("back/tasks.jsonl"), "tasks");
  const kept = ({ content: { image, ...rest } }: VisualTask) => ({ pixels: image.id, ...rest });
  expect(again.map(kept)).toEqual(original.map(kept));
});

test("a table with quotes, ties and a comma keeps its boxes through the refocus form", async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("a.csv"), 'Team,"Won, lost",Team\n"The ""A""s",3,x\nB,4,y\nB,5,z\n');
  expect((await iapo(["data", "render", at("a.csv"), "--out", at("table")])).code).toBe(0);
  const [table] = await load(at("table"), "tasks");
  expect(table!.content.columns.map(({ name }) => name)[1]).toBe("Won, lost");
  expect(table!.content.rows).toHaveLength(4);
  await iapo(["data", "convert", at("table"), "--format", "tasks", "--to", "refocus", "--out", at("refocus")]);
  const [again] = await load(at("refocus"), "refocus");
  expect(again!.content.image.id).toBe(table!.content.image.id);
  for (const axis of ["columns", "rows"] as const) {
    expect(again!.content[axis].map(({ name }) => name)).toEqual(table!.content[axis].map(({ name }) => name));
    for (const [i, { x1, y1, x2, y2 }] of again!.content[axis].entries()) {
      const box = table!.content[axis][i]!;
      for (const [a, b] of [
        [x1, box.x1],
        [y1, box.y1],
        [x2, box.x2],
        [y2, box.y2],
      ])
        expect(a).toBeCloseTo(b!, 9);
    }
  }
});

test("a table with a byte order mark, an empty header and other letters is drawn; one in another encoding is named", async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("a.csv"), '\ufeff"","Tor"\n"Ann","東"\n');
  expect((await iapo(["data", "render", at("a.csv"), "--out", at("table")])).code).toBe(0);
  const [table] = await load(at("table"), "tasks");
  expect(table!.content.columns.map(({ name }) => name)).toEqual(["column 1", "Tor"]);
  expect(table!.content.question).toBe("What stands first in the first column?");
  writeFileSync(at("b.csv"), Buffer.from("Café,b\n1,2\n", "latin1"));
  await expectRefusal(["data", "render", at("b.csv"), "--out", at("no")], 1, /b\.csv: not UTF-8/);
});

test("inspect counts, names bad rows with their reasons, and draws a sheet; a data set without a task is exit code 1", async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  await iapo(["data", "render", "nano", "--count", "3", "--out", at("nano")]);
  const lines = readFileSync(at("nano/tasks.jsonl"), "utf8").trimEnd().split("\n");
  const lost = lines[0]!.replace(/images\/\w+/, "images/lost");
  writeFileSync(at("nano/tasks.jsonl"), [...lines, "{", '{"id":"x"}', lost, ""].join("\n"));
  const args = ["data", "inspect", at("nano"), "--format", "tasks"];
  const { code, out } = await iapo([...args, "--sheet", at("sheet.png")]);
  expect(code).toBe(0);
  expect(out).toMatch(/: 6 rows read, 3 tasks on 3 pictures, 3 left out\n {2}width 112 to 112 px/);
  expect(out).toMatch(/tasks\.jsonl, row 4: not JSON/);
  expect(out).toMatch(/tasks\.jsonl, row 5: image: /);
  expect(out).toMatch(/tasks\.jsonl, row 6: images\/lost\.png: not found below/);
  expect((await readImage(at("sheet.png"))).width).toBeGreaterThan(400);
  expect(JSON.parse((await iapo([...args, "--json"])).out)).toMatchObject({ rows: 6, skipped: 3, images: 3 });

  mkdirSync(at("bad"));
  writeFileSync(at("bad/rows.jsonl"), "nonsense\n");
  const none = await iapo(["data", "inspect", at("bad"), "--format", "refocus"]);
  expect([none.code, none.out]).toEqual([1, expect.stringMatching(/0 tasks.*1 left out[\s\S]*row 1: not JSON/)]);
  await expectRefusal(
    ["data", "convert", at("bad"), "--format", "refocus", "--out", at("out")],
    1,
    /there is no task to be written/,
  );
  expect(existsSync(at("out"))).toBe(false);
});

test.each([
  [
    ["data", "inspect", "/nowhere.jsonl", "--format", "tasks"],
    1,
    /\/nowhere\.jsonl: no such file or folder \(missing_file\)/,
  ],
  [["data", "inspect", "x", "--format", "refokus"], 2, /no format refokus \(Did you mean refocus\?\)/],
  [["data", "inspect", "x"], 1, /x: no such file or folder \(missing_file\)/], // rows of the product's own, where no format is given
  [
    ["data", "convert", "x", "--format", "tasks", "--out", "y", "--to", "coco"],
    2,
    /Allowed choices are tasks, refocus/,
  ],
  [["data", "render", "/nowhere.csv", "--out", "never-made"], 1, /nowhere\.csv/],
  [["data", "render", "nano", "--out", import.meta.dirname], 1, /is there already; choose another --out \(exists\)/],
  [["data", "pain"], 2, /unknown command 'pain'|too many arguments/],
] as const)("%j is refused", async (args, code, message) => {
  await expectRefusal(args, code, message);
});
