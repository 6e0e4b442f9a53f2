// TypeScript in READMEs is type-checked as it stands, and run unless it needs a download; what a README says that it prints is compared.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "@iapo/trainer";
import { writeImage } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { openNano, writeData } from "@iapo/vqa-tasks/sources";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readmeBlocks, root } from "./blocks.ts";
import { runProgram } from "./run-program.ts";

const folder = join(root, "examples/.readme"); // inside of the workspace, so that imports resolve
const files = join(folder, "files");
const programs = readmeBlocks()
  .filter(({ language, flag }) => language === "ts" && flag !== "fragment")
  .map((block) => ({
    ...block,
    file: join(folder, "blocks", `${block.readme.replaceAll(/\W+/g, "-")}-${block.line}.ts`),
  }));

/** The programs, and the files that they read: a chart, a table, rows of tasks, two short runs. */
beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "blocks"), { recursive: true });
  for (const { file, code } of programs) writeFileSync(file, code);
  const compilerOptions = { noUnusedLocals: false }; // an excerpt may name a result that the text goes on with
  const config = { extends: "../tsconfig.json", compilerOptions, include: ["blocks/*.ts"], exclude: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  mkdirSync(files);
  const { task } = await (await createNanoCharts({ seed: 1 })).chart("train", 0);
  for (const name of ["chart.png", "table.png"]) await writeImage(join(files, name), task.content.image);
  const nano = await openNano({ seed: 1, split: "train", count: 2 });
  await writeData(nano.tasks(), "tasks", join(files, "mine"));
  for (const seed of [1, 2]) {
    const small = [`seed=${seed}`, "steps=2", "groups=1", "rollout.samples=2", "evaluate="];
    const out = join(files, `runs/a-seed-${seed}`);
    const args = ["train", "nano-grpo", "--out", out, ...small.flatMap((setting) => ["--set", `grpo.${setting}`])];
    const io = { out: () => {}, note: () => {}, signal: new AbortController().signal, terminal: undefined };
    expect(await runCli(args, io)).toBe(0);
  }
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("blocks are type-checked", { timeout: 300_000 }, () => {
  const { stdout, status } = spawnSync("tsc", ["-p", folder], { encoding: "utf8" });
  expect([stdout, status]).toEqual(["", 0]);
});

test.each(programs.filter(({ flag }) => flag === ""))(
  "$readme:$line runs",
  { timeout: 300_000 },
  async ({ file, prints }) => {
    const printed = await runProgram(file, files);
    if (prints !== undefined) expect(printed).toBe(prints);
  },
);
