// The ways of a teacher for a 3B student with a 7B teacher, from their configurations alone.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { baseDirectory } from "@iapo/nano-vl";
import { expect, test, vi } from "vitest";
import { iapo, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Enough responses that a card of 24 GiB has no room for both models. */
const small = ["grpo.groups=1", "grpo.rollout.samples=8", "grpo.rollout.maxTokens=256", "grpo.evaluate="];

/** A directory without weights: the published sizes, and a tokenizer that ships here. */
async function sizesOnly(name: "qwen2.5-vl-3b" | "qwen2.5-vl-7b" | "qwen3-vl-8b"): Promise<string> {
  const directory = temporaryFolder();
  const read = async (file: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(file, "utf8"));
  const published = await read(join(import.meta.dirname, `../fixtures/${name}.config.json`));
  const tokens = Object.entries(await read(join(baseDirectory, "config.json"))).filter(([key]) =>
    key.endsWith("_token_id"),
  );
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "config.json"), JSON.stringify({ ...published, ...Object.fromEntries(tokens) }));
  for (const file of ["tokenizer.json", "chat_template.jinja"]) {
    await copyFile(join(baseDirectory, file), join(directory, file));
  }
  return directory;
}

test("a 3B student with an adapter beside a 7B teacher, on cards of 24, 48 and 80 GiB", async () => {
  const models = [
    `model.directory=${await sizesOnly("qwen2.5-vl-3b")}`,
    `teacher.directory=${await sizesOnly("qwen2.5-vl-7b")}`,
  ];
  const settings = ["model.hub=", "teacher.hub=", "environment.prompt=compact", ...models, ...small];
  const args = ["plan", "paper-main", "--card", ...settings.flatMap((one) => ["--set", one])];
  const { out, err, code } = await iapo(args);
  expect(err).not.toMatch(/Error|cannot/);
  expect(code).toBe(0);
  const rows = out.split("\n").map((line) => line.trim().split(/ {2,}/));
  const row = (name: string): string[] => rows.find(([first]) => first === name)!;
  expect(row("the teacher")).toEqual(["the teacher", "at most", "24 GiB", "48 GiB", "80 GiB"]);
  const gibibytes = (name: string): number => Number.parseFloat(row(name)[1]!);
  // bf16 weights of 3,754,622,976 and 8,292,166,656 parameters, with what working on them takes
  const weights = { student: (2 * 3_754_622_976) / 2 ** 30, teacher: (2 * 8_292_166_656) / 2 ** 30 };
  expect(gibibytes("weights")).toBeCloseTo(weights.student, 1);
  expect(gibibytes("resident")).toBeGreaterThan(weights.student + weights.teacher);
  for (const way of ["turns", "cached"]) {
    expect(gibibytes(way)).toBeGreaterThan(weights.teacher);
    expect(gibibytes(way)).toBeLessThan(gibibytes("resident") - 0.9 * weights.student);
  }
  expect(row("resident").slice(2)).toEqual(["no", "fits", "fits", "--set teacher.residence=resident"]);
  expect(row("turns").slice(2)).toEqual(["fits", "fits", "fits", "--set teacher.residence=turns"]);
  expect(row("cached").slice(2, 5)).toEqual(["fits", "fits", "fits"]);
});

test.runIf(process.env.IAPO_FULL === "1")(
  "the paper's Qwen3-VL-8B teacher, of another family, beside the same student",
  async () => {
    const models = [
      `model.directory=${await sizesOnly("qwen2.5-vl-3b")}`,
      `teacher.directory=${await sizesOnly("qwen3-vl-8b")}`,
      "model.lora.rank=16",
      "model.lora.alpha=32",
      "model.recompute=true",
    ];
    const settings = ["model.hub=", "teacher.hub=", "environment.prompt=compact", ...models, ...small];
    const args = ["plan", "paper-teacher-qwen3-vl-8b", "--card", ...settings.flatMap((one) => ["--set", one])];
    const { out, err, code } = await iapo(args);
    expect(err).not.toMatch(/Error|cannot/);
    expect(code).toBe(0);
    const rows = out.split("\n").map((line) => line.trim().split(/ {2,}/));
    const row = (name: string): string[] => rows.find(([first]) => first === name)!;
    const gibibytes = (name: string): number => Number.parseFloat(row(name)[1]!);
    expect(gibibytes("resident")).toBeGreaterThan((2 * (3_754_622_976 + 8_767_123_696)) / 2 ** 30);
    expect(gibibytes("turns")).toBeGreaterThan((2 * 8_767_123_696) / 2 ** 30);
    expect(row("turns").slice(2, 5)).toEqual(["tight", "fits", "fits"]);
  },
);
