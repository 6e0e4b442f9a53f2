// iapo attribute on a nano model with random weights: numbers that add up, pictures that are pictures, and what it refuses.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readImage } from "@iapo/visual-tools/sharp";
import { expect, test } from "vitest";
import { expectRefusal, iapo, sharedFolder } from "../support/iapo.ts";
import { nanoDirectory } from "../support/nano-directory.ts";

const folder = sharedFolder();
const program = '```python\ndisplay(focus_on_rows_with_mask(image_1, ["A"], rows_bbox))\n```\n';

test("the model as its own teacher is no distance away; scores, pictures and text are there", async () => {
  const model = await nanoDirectory(join(folder, "model"));
  const out = join(folder, "same");
  const args = ["attribute", model, "--teacher", model, "--nano", "2", "--text", `${program}\u001b[2J`, "--out", out];
  const { code, out: text, err } = await iapo(args);
  expect(code, err).toBe(0);
  expect(text).toMatch(/KL\(student, teacher\) 0\.0000/);
  expect(text).not.toContain("\u001b[2J"); // what a model writes does not steer the terminal
  const result = JSON.parse(readFileSync(join(out, "attribution.json"), "utf8"));
  expect(result).toMatchObject({ version: 1, isCall: true, divergence: 0 });
  expect(result.student.blocks.map(({ name }: { name: string }) => name)).toContain("tool:focus_on_rows_with_mask");
  expect(result.student.tokenScores.every(Number.isFinite)).toBe(true);
  expect(readdirSync(out).sort()).toEqual(["attribution.json", "blocks.svg", "heat.png", "image.png", "tokens.html"]);
  const [image, heat] = [await readImage(join(out, "image.png")), await readImage(join(out, "heat.png"))];
  expect([heat.width, heat.height]).toEqual([image.width, image.height]);
  expect(heat.data).not.toEqual(image.data);

  const blocksOnly = await iapo([
    "attribute",
    model,
    "--nano",
    "2",
    "--text",
    program,
    "--method",
    "occlusion",
    "--json",
    "--out",
    join(folder, "occlusion"),
  ]);
  const occlusion = JSON.parse(blocksOnly.out);
  expect(occlusion.student.tokenScores).toBeUndefined();
  expect(occlusion.student.blocks).toHaveLength(result.student.blocks.length);
  expect(existsSync(join(folder, "occlusion/heat.png"))).toBe(false);
});

test("a teacher's calls are cached before a run, once", async () => {
  const model = await nanoDirectory(join(folder, "teacher"));
  const config = join(folder, "cache.yaml");
  const lines = [
    `model: { directory: ${model} }`,
    `teacher: { directory: ${model}, cache: ${join(folder, "calls")} }`,
    "data: { nanoCharts: { seed: 1, names: words } }",
    "environment: { prompt: compact }",
    "grpo: { rollout: { maxTokens: 6 } }",
    "iapo: { preset: occlusion, teacherTarget: teacher_call }",
  ];
  writeFileSync(config, lines.join("\n"));
  const first = await iapo(["attribute", config, "--cache", "3"]);
  expect(first.out, first.err).toMatch(/^3 tasks, \d with a call: .*calls$/m);
  const files = readdirSync(join(folder, "calls"));
  expect(files).toHaveLength(3);
  const times = files.map((name) => statSync(join(folder, "calls", name)).mtimeMs);
  expect((await iapo(["attribute", config, "--cache", "3"])).out).toBe(first.out);
  expect(files.map((name) => statSync(join(folder, "calls", name)).mtimeMs)).toEqual(times);
  writeFileSync(config, lines.slice(0, -1).join("\n"));
  await expectRefusal(["attribute", config, "--cache", "3"], 2, /only a run with iapo\.teacherTarget teacher_call/);
});

test.each([
  [["attribute", "/nowhere"], 1, /\/nowhere: there is no such directory/],
  [["attribute", "nano-studnet"], 1, /did you mean nano-student\?/],
  [["attribute", "x", "--nano", "1", "--task", "y"], 2, /give --nano or --task \(argument\)/],
  [["attribute", "x", "--task", "/nowhere.jsonl"], 1, /no such file or folder \(missing_file\)/],
  [["attribute", "x", "--format", "refocus"], 2, /--format is that of --task/],
  [["attribute", "x", "--method", "saliency"], 2, /Allowed choices are grad_x_input, ig, grad_norm, occlusion/],
] as const)("%j is refused", async (args, code, message) => {
  await expectRefusal(args, code, message);
});
