/** Tasks opened for a run: every row is looked at before it, bad ones are named, and what is left out is told. */

import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Task } from "@iapo/rollout-trace";
import { encodePng } from "@iapo/visual-tools/sharp";
import { expect, test } from "vitest";
import { dataSettingsSchema } from "../src/config.ts";
import { createNanoCharts } from "../src/nano/charts.ts";
import { thumbnail } from "../src/sources/draw-boxes.ts";
import { leftOutWords, openTasks } from "../src/sources/open-tasks.ts";
import { writeData } from "../src/sources/write-data.ts";

const folder = mkdtempSync(join(tmpdir(), "sources-"));
writeFileSync(join(folder, "a.png"), await encodePng({ width: 8, height: 8, channels: 3, data: new Uint8Array(192) }));
writeFileSync(join(folder, "broken.png"), "<html>404</html>");

function files(rows: readonly object[], onBadRow: "fail" | "skip", limit?: number) {
  const path = join(folder, `rows-${Math.random()}.jsonl`);
  writeFileSync(
    path,
    rows.map((row) => JSON.stringify({ image: "a.png", question: "?", answers: ["x"], ...row })).join("\n"),
  );
  return dataSettingsSchema.parse({ files: { format: "tasks", path, onBadRow }, limit });
}

const good = [{ id: "1" }, { id: "2" }, { id: "3" }];
const broken = [{ id: "1" }, { id: "2", image: "broken.png" }, { id: "3" }];

test("pictures lie beside the file, as they do for iapo data inspect", async () => {
  const { train } = await openTasks(files(good, "fail"));
  expect([train.length, (await train.task(2)).id, train.leftOut]).toEqual([3, "3", undefined]);
  await expect(train.task(3)).rejects.toThrow(RangeError);
});

test("skip: bad rows are left out and told; fail: the first one is named before the run", async () => {
  const { train } = await openTasks(files(broken, "skip"));
  expect([train.length, (await train.task(1)).id]).toEqual([2, "3"]);
  expect(leftOutWords(train, "data.files")).toMatch(
    /^1 of 3 rows of data\.files are left out: \S+\.jsonl, row 2: cannot read an image/,
  );
  await expect(openTasks(files(broken, "fail"))).rejects.toThrow(/\.jsonl, row 2: cannot read an image/);
});

test("a check makes rows bad ones too", async () => {
  const check = ({ id }: Task) => (id === "2" ? "absolute aspect ratio must be smaller than 200" : undefined);
  const { train } = await openTasks(files(good, "skip"), { check });
  expect([train.length, train.leftOut?.first[0]?.reason]).toEqual([
    2,
    "absolute aspect ratio must be smaller than 200",
  ]);
  await expect(openTasks(files(good, "fail"), { check })).rejects.toThrow(/row 2: absolute aspect ratio/);
  await expect(openTasks(files(good, "skip"), { check: () => "no" })).rejects.toThrow(
    /no usable task.*3 rows are bad.*row 1: no/,
  );
});

test("the digest is that of the rows used", async () => {
  const digest = async (rows: readonly object[], limit?: number) =>
    (await openTasks(files(rows, "skip", limit))).train.content;
  const own = await digest(good);
  expect(await digest(good)).toBe(own);
  expect(await digest([...good].reverse())).not.toBe(own);
  expect(await digest(good.slice(0, 2))).toBe(await digest(good, 2));
  expect(await digest(good.map((row) => ({ ...row, answers: ["y"] })))).not.toBe(own);
});

test("the digest knows the pixels of pictures beside the rows", async () => {
  const data = files([{ id: "1", image: "shade.png" }], "fail");
  const digest = async (shade: number) => {
    const image = { width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(shade) } as const;
    writeFileSync(join(folder, "shade.png"), await encodePng(image));
    return (await openTasks(data)).train.content;
  };
  const white = await digest(255);
  expect(await digest(0)).not.toBe(white);
  expect(await digest(255)).toBe(white);
});

test("tasks with names of their own for tools are written and read back; the other form cannot hold them", async () => {
  const charts = await createNanoCharts({ names: "words", tools: "in_context" });
  async function* tasks() {
    for (let index = 0; index < 3; index++) yield (await charts.chart("test", index)).task;
  }
  const { file } = await writeData(tasks(), "tasks", join(folder, "in-context"));
  const { train } = await openTasks(dataSettingsSchema.parse({ files: { format: "tasks", path: file } }));
  expect(train.length).toBe(3);
  for (let index = 0; index < 3; index++)
    expect((await train.task(index)).content.aliases).toEqual((await charts.chart("test", index)).task.content.aliases);
  const signal = AbortSignal.abort(new Error("stop"));
  await expect(writeData(tasks(), "tasks", join(folder, "stopped"), { signal })).rejects.toThrow("stop");
  expect(readdirSync(folder).filter((name) => name.startsWith("stopped"))).toEqual([]);
  const tooLong = writeData(tasks(), "tasks", join(folder, "x".repeat(300)));
  await expect(tooLong).rejects.toThrow(/cannot be .*ENAMETOOLONG.*choose a shorter name/);
  await expect(writeData(tasks(), "refocus", join(folder, "refocus"))).rejects.toThrow(/only the form tasks can hold/);
});

test("an interrupt ends the looking", async () => {
  const signal = AbortSignal.abort(new Error("stop"));
  await expect(openTasks(files(broken, "skip"), { signal })).rejects.toThrow("stop");
});

test("a thumbnail keeps the picture's shape and colors, and small pictures as they are", () => {
  const image = {
    width: 400,
    height: 100,
    channels: 3,
    data: Uint8Array.from({ length: 120_000 }, (_, i) => (i % 3 === 0 ? 200 : 10)),
  } as const;
  const small = thumbnail(image, 50);
  expect([small.width, small.height, small.data.length]).toEqual([50, 13, 1950]);
  expect(small.data.every((value, i) => value === (i % 3 === 0 ? 200 : 10))).toBe(true);
  expect(thumbnail(image, 400)).toBe(image);
  expect(thumbnail({ ...image, width: 40_000, height: 1 }, 10)).toMatchObject({ width: 10, height: 1 });
});
