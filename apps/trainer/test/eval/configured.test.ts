// iapo eval by a configuration: its held-out tasks, its own tools, its judge with all that is set of it.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ChatRequest, reply, serve, textOf } from "../support/chat-server.ts";
import { expectRefusal, iapo, start, temporaryFolder } from "../support/iapo.ts";

const tools = (name: string): string => `import { defineTool } from "@iapo/visual-tools";
const signature = { names: "names", boxes: "boxes" };
const run = (image) => ({ ...image, data: image.data.map((value) => value >> 1) });
export default () => ["rows", "columns"].map((axis) =>
  defineTool({ name: "${name}_" + axis, axis, signature, promptBlock: "${name}_" + axis + "(image, names, boxes)\\n", run }));
`;

/** A configuration with charts as held-out rows, a tool, and a judge at this address. */
async function configured(judge: string): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "tools.mjs"), tools("darken"));
  expect((await iapo(["data", "render", "nano", "--count", "3", "--out", join(folder, "charts")])).code).toBe(0);
  const files = "{ format: tasks, path: charts/tasks.jsonl, images: charts }";
  writeFileSync(
    join(folder, "run.yaml"),
    `extends: nano-grpo
model: { directory: nano-student }
data: { nanoCharts: , files: ${files}, validation: ${files} }
environment: { tools: ./tools.mjs, scoring: { scoring: judge, extraction: final_answer } }
judge: { endpoint: "${judge}", model: strict, reading: vtool_v2, maxTokens: 7 }
grpo: { evaluate: }
`,
  );
  return folder;
}

test("held-out tasks, own tools and the judge's settings are those of the configuration", async () => {
  const judged: (ChatRequest & { readonly max_tokens?: number })[] = [];
  const asked: ChatRequest[] = [];
  const endpoint = await serve((request, response) => {
    if (request.model === "strict") {
      judged.push(request);
      return reply(response, "1");
    }
    asked.push(request);
    if (request.messages.length > 1) return reply(response, "FINAL ANSWER: 3");
    const code = `x = darken_rows(image_1, [], rows_bbox)\ndisplay(x)`;
    reply(response, `\`\`\`python\n${code}\n\`\`\`\n`);
  });
  const folder = await configured(endpoint);
  const out = join(folder, "eval");
  const args = ["eval", "--endpoint", endpoint, "--name", "m", "--config", join(folder, "run.yaml"), "--out", out];
  const { code, out: text, err } = await iapo([...args, "--json"], { IAPO_JUDGE_KEY: "secret" });
  expect(code, err).toBe(0);
  expect(err).toMatch(/validation: 3 of 3 tasks/);
  const { scoring, sets } = JSON.parse(text);
  expect(scoring).toEqual({ validation: "judge" });
  expect(sets.validation.metrics["reward/outcome"].value).toBe(1);
  expect(sets.validation.metrics.tool_call_ratio.value).toBe(1);
  for (const { messages } of asked.filter(({ messages }) => messages.length === 1))
    expect(textOf(messages[0]?.content ?? "")).toContain("darken_rows");
  expect(judged.length).toBeGreaterThan(0);
  for (const request of judged) expect(request.max_tokens).toBe(7);
  const settings = readFileSync(join(out, "eval.json"), "utf8");
  expect(JSON.parse(settings).judge).toMatchObject({ model: "strict", reading: "vtool_v2", maxTokens: 7 });
  expect(settings).not.toContain("secret");

  writeFileSync(join(folder, "tools.mjs"), tools("shade"));
  const { code: other, err: refusal } = await start(args).ended;
  expect(refusal).toMatch(/holds an evaluation of another environment; give the same/);
  expect(other).toBe(1);
});

test("what it does not fit with is refused; a run's directory is trusted by name only", async () => {
  const folder = await configured("http://127.0.0.1:1/v1");
  const config = join(folder, "run.yaml");
  const model = ["eval", "nano-student", "--config"];
  await expectRefusal([...model, config, "--preset", "vtool_v1"], 2, /cannot be used with option '--preset/);
  await expectRefusal([...model, config, "--judge", "http://h/v1"], 2, /cannot be used with option '--judge/);
  await expectRefusal([...model, "/nowhere.yaml"], 2, /there is no such file or recipe/);
  const own = join(folder, "own.yaml");
  writeFileSync(join(folder, "own.mjs"), "export default () => ({});\n");
  writeFileSync(own, `extends: nano-grpo\ndata:\nenvironment: { module: ./own.mjs, prompt: }\ngrpo: { evaluate: }\n`);
  await expectRefusal([...model, own], 2, /is of charts and tables; .*by grpo\.evaluate .*own\.mjs/);
  const run = join(folder, "run");
  for (const part of ["charts", "tools.mjs"]) cpSync(join(folder, part), join(run, part), { recursive: true });
  cpSync(config, join(run, "config.yaml"));
  await expectRefusal([...model, run], 2, /tools\.mjs.*\(untrusted: --trust\)/);
  writeFileSync(config, readFileSync(config, "utf8").replace(/, validation: \{.*?\}/, ""));
  await expectRefusal([...model, config], 2, /data\.validation names no held-out tasks/);
});
