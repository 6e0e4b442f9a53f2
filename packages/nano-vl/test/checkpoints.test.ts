// The shipped checkpoints: what their files hold. What they do is measured in apps/trainer/test/nano-models.test.ts.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { expect, test } from "vitest";
import {
  baseDirectory,
  contextStudentDirectory,
  contextTeacherDirectory,
  largeTeacherDirectory,
  studentDirectory,
  teacherDirectory,
} from "../src/index.ts";

const models = {
  student: studentDirectory,
  teacher: teacherDirectory,
  "teacher-large": largeTeacherDirectory,
  "context-student": contextStudentDirectory,
  "context-teacher": contextTeacherDirectory,
};

test("all are small, hold bf16 weights, and share one tokenizer, template and image limits", async () => {
  let bytes = 0;
  for (const [name, directory] of Object.entries(models)) {
    for (const file of readdirSync(directory)) bytes += statSync(join(directory, file)).size;
    const config = await loadConfig(directory);
    expect(config.dtype, name).toBe("bfloat16");
    for (const file of ["tokenizer.json", "chat_template.jinja", "preprocessor_config.json"]) {
      expect(
        readFileSync(join(directory, file)).equals(readFileSync(join(baseDirectory, file))),
        `${name} ${file}`,
      ).toBe(true);
    }
  }
  expect(bytes).toBeLessThan(12 * 2 ** 20);
});

test("they are different models, of which the larger teacher has four times the weights of each other", () => {
  const { "teacher-large": large, ...others } = models;
  const weights = Object.values(others).map((directory) => readFileSync(join(directory, "model.safetensors")));
  expect(new Set(weights.map((bytes) => bytes.toString("base64"))).size).toBe(weights.length);
  expect(new Set(weights.map(({ length }) => length)).size).toBe(1);
  expect(readFileSync(join(large, "model.safetensors")).length / weights[0]!.length).toBeGreaterThan(4);
});
