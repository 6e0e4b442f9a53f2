// Every recipe of the book runs by its name, and as the YAML that is printed of it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { recipes } from "@iapo/iapo/recipes";
import { loadConfig } from "@iapo/jobs";
import { expect, test } from "vitest";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";

/** Models that are downloaded, or that another recipe makes, by one that is here. */
function modelsHere(name: string): string[] {
  const { model, teacher } = recipes.get(name)?.config ?? {};
  return [
    ...(model?.hub ? ["model.hub=", "model.directory=nano-student"] : []),
    ...(teacher && (teacher.hub || teacher.directory?.startsWith("models/"))
      ? ["teacher.hub=", "teacher.directory=nano-teacher"]
      : []),
  ].flatMap((one) => ["--set", one]);
}

test.each([...recipes.keys()])("%s", async (name) => {
  const command = recipes.get(name)?.config.supervised ? "sft" : "train";
  const settings = modelsHere(name);
  const ended = await iapo([command, name, "--dry-run", ...settings]);
  expect(ended.err).toBe("");
  expect(ended.code).toBe(0);
  expect(ended.out).toMatch(new RegExp(`^# iapo ${command}: \\d+ steps in .*runs[\\\\/]${name}\n`));
  const { code, out: yaml } = await iapo(["recipes", "show", name]);
  expect(code).toBe(0);
  const file = join(temporaryFolder(), "shown.yaml");
  writeFileSync(file, yaml);
  const sets = settings.filter((one) => one !== "--set");
  expect(loadConfig(file, sets)).toEqual({ ...loadConfig(name, sets), name: "shown" });
});

test("the list has each with one line", async () => {
  const { code, out } = await iapo(["recipes"]);
  expect(code).toBe(0);
  const lines = out.trimEnd().split("\n");
  expect(lines.map((line) => line.split(" ")[0])).toEqual([...recipes.keys()]);
  expect(out).toMatch(/^nano-iapo-paper +IAPO, the paper's method$/m);
});

test("--steps stands for the setting of the command's section", async () => {
  expect((await iapo(["train", "nano-grpo", "--steps", "3", "--dry-run"])).out).toMatch(/^# iapo train: 3 steps/);
  const sft = await iapo(["sft", "nano-sft", "--steps", "4", "--dry-run"]);
  expect(sft.out).toMatch(/^# iapo sft: 4 steps/);
  await expectRefusal(["train", "nano-grpo", "--steps", "0"], 2, /whole number of at least 1/);
});

test("a name that is none, and a teacher that another recipe has not made yet, say what to do", async () => {
  await expectRefusal(["recipes", "show", "nano-gpro"], 2, /no recipe nano-gpro; did you mean nano-grpo\?/);
  await expectRefusal(["recipes", "show", "constructor"], 2, /no recipe constructor; `iapo recipes` lists them/);
  await expectRefusal(["train", "lambda-0-5"], 2, /no such file or recipe; `iapo recipes` lists the recipes/);
  const made =
    /make it first: iapo train nano-make-teacher-grpo; iapo export runs\/nano-make-teacher-grpo --out models\/nano-make-teacher-grpo/;
  await expectRefusal(["train", "nano-teacher-grpo", "--dry-run"], 2, made);
  const taught =
    /make it first: iapo sft nano-make-teacher-masks; iapo export runs\/nano-make-teacher-masks --out models/;
  await expectRefusal(["train", "nano-anchored-teacher-masks", "--dry-run"], 2, taught);
});
