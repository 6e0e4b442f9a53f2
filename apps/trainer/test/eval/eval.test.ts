// iapo eval of a model in a directory, on nano-charts and on published sets; and what it refuses.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";
import { nanoDirectory } from "../support/nano-directory.ts";

test("a local model is sampled; the same command again computes nothing and says the same", async () => {
  const folder = temporaryFolder();
  const model = await nanoDirectory(join(folder, "model"));
  const args = ["eval", model, "--limit", "6", "--batch", "4", "--max-tokens", "12", "--out", join(folder, "out")];
  const first = await iapo(args);
  expect(first.code).toBe(0);
  expect(first.err).toMatch(/nano: 6 of 6 tasks/);
  expect(first.out).toMatch(/^nano: 6 responses to 6 tasks, 95 % bootstrap intervals\n {2}accuracy {8}\d\.\d{3} \[/);
  const again = await iapo(args);
  expect(again.out).toBe(first.out);
  expect(again.err).not.toMatch(/of 6 tasks/);
});

test("sets by name: what is there is evaluated, what is missing says what and how to get it", async () => {
  const folder = temporaryFolder();
  const model = await nanoDirectory(join(folder, "model"));
  const data = join(folder, "data");
  for (const name of ["wtq/tables", "charxiv"]) mkdirSync(join(data, name), { recursive: true });
  writeFileSync(join(data, "wtq/tables/a.csv"), "Year,City\n1996,Atlanta\n2000,Sydney\n");
  const rows = ["vwtq", "vwtq", "vwtq_syn"].map((subset, i) => ({
    ...{ id: `nu-${i}`, table: "tables/a.csv", question: "Which city in 2000?", answers: ["Sydney"], split: "test" },
    tablevqabench: [subset],
  }));
  writeFileSync(join(data, "wtq/questions.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const figure = { id: "1", figure_id: 1, query: "Which line is highest?", answer: "red" };
  writeFileSync(join(data, "charxiv/qa.jsonl"), `${JSON.stringify(figure)}\n`);
  const args = ["eval", model, "--sets", "paper", "--data", data, "--prompt", "compact", "--max-tokens", "4"];
  const { code, out, err } = await iapo([...args, "--out", join(folder, "out")]);
  expect(err).toMatch(/vwtq: 2 of 2 tasks\nvwtq_syn: 1 of 1 tasks/);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^model +CharXiv +Horizontal +Vertical +VWTQ +VWTQ_syn +VTabFact +Avg\nmodel +- +- +- +0\.0 +0\.0 +- +-$/m,
  );
  expect(out).toMatch(/CharXiv is missing: 1 questions, but no picture can be read: .*CharXiv's image archive/);
  expect(out).toMatch(/Horizontal is missing: .*refocus or chartqa.*ChartQA Dataset/);
  expect(out).toMatch(/VWTQ: 2 of the 750 published questions/);
});

test.each([
  [["eval"], 2, /give either a model's directory or --endpoint \(argument\)/],
  [["eval", "/nowhere/model"], 1, /\/nowhere\/model: there is no such directory.*\(missing\)/],
  [["eval", import.meta.dirname], 1, /holds no config\.json; a model's directory has .*\(invalid\)/],
  [["eval", "x", "--sets", "hbar"], 2, /no set hbar \(Did you mean h_bar\?\)/],
  [["eval", "x", "--sets", "vwtq", "--data", "/nowhere"], 1, /\/nowhere: there is no such directory \(missing_file\)/],
  [["eval", "x", "--sets", "vwtq"], 1, /vwtq is missing: no --data directory is given/],
  [["eval", "--endpoint", "localhost:1", "--name", "m"], 2, /reached by http or https/],
  [["eval", "--endpoint", "http://localhost:1"], 2, /--endpoint needs --name/],
  [["eval", "x", "--temperature", "warm"], 2, /number of at least 0/],
  [["eval", "x", "--preset", "vtool"], 2, /Allowed choices are default, vtool_v1, vtool_v2/],
] as const)("%j is refused", async (args, code, message) => {
  await expectRefusal(args, code, message);
});
