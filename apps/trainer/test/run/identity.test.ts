// A resume, a replay and an export with other models, data or functions than the run was made with: refused, naming which; and whose a directory is.
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { studentDirectory } from "@iapo/nano-vl";
import { beforeAll, expect, test, vi } from "vitest";
import { TrainerError } from "../../src/error.ts";
import { exitCodeOf, explain } from "../../src/explain.ts";
import { fingerprintOf } from "../support/fingerprint.ts";
import { expectRefusal, iapo, sharedFolder, start, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = sharedFolder();
const at = (name: string): string => join(folder, name);
const run = at("run");
const config = at("run.yaml");
const all = /./;

beforeAll(async () => {
  cpSync(studentDirectory, at("model"), { recursive: true });
  writeFileSync(
    at("reward.mjs"),
    `import { appendFileSync } from "node:fs";
import { worth } from "./worth.mjs";
appendFileSync(${JSON.stringify(at("loaded"))}, "x");
export default () => ({ outcome: worth });
`,
  );
  writeFileSync(at("worth.mjs"), "export const worth = 0.5;\n");
  expect((await iapo(["data", "render", "nano", "--count", "4", "--out", at("data")])).code).toBe(0);
  const [first = "", second = ""] = readdirSync(at("data/images"));
  renameSync(at(`data/images/${first}`), at("data/first.png"));
  copyFileSync(at(`data/images/${second}`), at("data/second.png"));
  const rows = readFileSync(at("data/tasks.jsonl"), "utf8");
  writeFileSync(at("data/tasks.jsonl"), rows.replaceAll(`images/${first}`, "first.png"));
  writeFileSync(
    config,
    `extends: nano-grpo
model: { directory: ./model }
data:
  nanoCharts:
  files: { format: tasks, path: ./data/tasks.jsonl, images: ./data }
grpo:
  steps: 1
  groups: 1
  rollout: { samples: 2, maxTokens: 4 }
  functions: { reward: ./reward.mjs }
  evaluate:
`,
  );
  const { code, err } = await iapo(["train", config, "--out", run]);
  expect(code, err).toBe(0);
});

/** Does `work` while the file is another one. */
async function whileChanged(file: string, change: (path: string) => void, work: () => Promise<void>): Promise<void> {
  const before = readFileSync(at(file));
  change(at(file));
  try {
    await work();
  } finally {
    writeFileSync(at(file), before);
  }
}

/** One bit of the last weight. */
function flipLastBit(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
}

const resume = ["train", "--trust", "--resume", run, "--set", "grpo.steps=2"];

test.each<[file: string, change: (path: string) => void, named: RegExp]>([
  ["model/model.safetensors", flipLastBit, /another content of model\/model\.safetensors;.*\(differs\)/],
  ["model/tokenizer.json", (path) => appendFileSync(path, "\n"), /of model\/tokenizer\.json;/],
  [
    "data/tasks.jsonl",
    (path) => writeFileSync(path, readFileSync(path, "utf8").split("\n").reverse().join("\n").trim()),
    /of data\/train;/,
  ],
  [
    "data/tasks.jsonl",
    (path) => writeFileSync(path, readFileSync(path, "utf8").replace(/"answers":\[[^\]]*\]/, '"answers":["zzz"]')),
    /of data\/train;/,
  ],
  ["data/first.png", (path) => copyFileSync(at("data/second.png"), path), /of data\/train;/],
  ["worth.mjs", (path) => writeFileSync(path, "export const worth = 1;\n"), /of functions\/reward;/],
])("a run is not resumed with another %s", async (file, change, named) => {
  const before = fingerprintOf(run, all);
  await whileChanged(file, change, () => expectRefusal(resume, 1, named));
  const after = fingerprintOf(run, all);
  const { "starts.jsonl": _, ...rest } = after;
  expect(before).toMatchObject(rest);
});

test.each([
  ["report", run, "--out", at("page.html")],
  ["export", run, "--out", at("made")],
])("of a run's directory, %s loads no function", async (...args) => {
  const before = readFileSync(at("loaded"), "utf8");
  const { code, err } = await start(args).ended;
  expect(code, err).toBe(0);
  expect(readFileSync(at("loaded"), "utf8")).toBe(before);
});

test.each([
  [["train", "--resume", run], /^1 of 1 steps/],
  [["train", run, "--dry-run"], /1 steps in/],
  [["replay", run], /^1 steps replay/],
  [["diagnose", run], /only of nano-charts/],
  [["case-study", run], /only of nano-charts/],
])("of a run's directory, %j loads a function only with --trust", async (args, trusted) => {
  const before = readFileSync(at("loaded"), "utf8");
  const refused = await start(args).ended;
  expect(refused).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringMatching(/reward\.mjs.*\(untrusted: --trust\)/),
  });
  expect(readFileSync(at("loaded"), "utf8")).toBe(before);
  const { out, err } = await iapo([...args, "--trust"]);
  expect(out + err).toMatch(trusted);
});

test("nor exported from other weights; a replay by the model wants its tokenizer, not its weights", async () => {
  const out = at("exported");
  await whileChanged("model/model.safetensors", flipLastBit, async () => {
    await expectRefusal(
      ["export", run, "--out", out],
      1,
      /content of model\/model\.safetensors; give the model that it began with/,
    );
    expect((await iapo(["replay", run, "--trust", "--model", at("model")])).code).toBe(0);
  });
  await whileChanged(
    "model/tokenizer.json",
    (path) => appendFileSync(path, "\n"),
    () => expectRefusal(["replay", run, "--trust", "--model", at("model")], 1, /content of model\/tokenizer\.json/),
  );
  expect(existsSync(out)).toBe(false);
});

test("another adapter with the same kernels is warned about, raises an alarm, and the run goes on", async () => {
  const moved = at("moved");
  cpSync(run, moved, { recursive: true });
  const file = join(moved, "run.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(/"adapter": ".*"/, '"adapter": "another card"'));
  const { code, err } = await iapo(["train", "--trust", "--resume", moved, "--set", "grpo.steps=2"]);
  expect(code, err).toBe(0);
  expect(err).toMatch(/! the run was begun on another adapter \(another card\)/);
  expect(err).toMatch(/! other_adapter at step 2/);
  expect(readFileSync(join(moved, "steps/step-000001.jsonl"), "utf8")).toContain('"alarm/other_adapter":1');
});

test("nor is it resumed with other kernels", async () => {
  const moved = at("other kernels");
  cpSync(run, moved, { recursive: true });
  const file = join(moved, "run.json");
  const { kernelFamily, ...record } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(
    file,
    JSON.stringify({ ...record, kernelFamily: kernelFamily === "software" ? "hardware" : "software" }),
  );
  const before = fingerprintOf(moved, /^(?!starts)/);
  await expectRefusal(
    ["train", "--trust", "--resume", moved, "--set", "grpo.steps=2"],
    1,
    /run\.json: the run was made with the \w+ kernels \(.*\), this adapter takes the \w+ ones; resume it where it was made \(differs\)/,
  );
  expect(fingerprintOf(moved, /^(?!starts)/)).toEqual(before);
});

test("a folder with a config.yaml of the user's own is not taken for a run", async () => {
  const own = temporaryFolder();
  const text = `# mine\nextends: ${config}\nmodel: { directory: ${at("model")} }\n`;
  mkdirSync(join(own, "steps"));
  writeFileSync(join(own, "config.yaml"), text);
  writeFileSync(join(own, "steps/step-000005.jsonl"), "mine");
  for (const more of [[], ["--resume"]]) {
    await expectRefusal(["train", join(own, "config.yaml"), "--out", own, ...more], 1, /is not empty and holds no run/);
    expect(readFileSync(join(own, "config.yaml"), "utf8")).toBe(text);
    expect(readFileSync(join(own, "steps/step-000005.jsonl"), "utf8")).toBe("mine");
  }
  rmSync(join(own, "steps"), { recursive: true });
  await expectRefusal(["train", join(own, "config.yaml"), "--out", own], 1, /holds no run \(config\.yaml\)/);
  expect(readdirSync(own)).toEqual(["config.yaml"]);
});

test("a start that was killed before run.json was written begins again by the same command", async () => {
  const killed = at("killed");
  cpSync(run, killed, { recursive: true });
  for (const name of readdirSync(killed))
    if (name !== "config.yaml" && name !== "starts.jsonl") rmSync(join(killed, name), { recursive: true });
  writeFileSync(join(killed, "run.json.somewhere-1-0123456789ab.partial"), "{");
  const { code, err } = await iapo(["train", config, "--out", killed]);
  expect(code, err).toBe(0);
  expect(fingerprintOf(killed, /^(steps|checkpoints|images)\//)).toEqual(
    fingerprintOf(run, /^(steps|checkpoints|images)\//),
  );
});

test.skipIf(!existsSync("/proc/self"))("an --out where nothing can be made is refused at once", async () => {
  for (const command of [["train", config], ["eval", at("model")], ["diagnose"], ["attribute", at("model")]])
    await expectRefusal(
      [...command, "--out", "/proc/nope/below"],
      1,
      /\/proc\/nope cannot be made: .*: choose another place/,
    );
  const nowhere = "/proc/nope/below";
  for (const command of [
    ["export", run, "--out", nowhere],
    ["report", run, "--out", at("report.html"), "--figures", nowhere],
    ["data", "render", "nano", "--count", "1", "--out", nowhere],
    ["ablate", "--only", "grpo", "--seeds", "1", "--out", nowhere],
  ]) {
    const { code, err } = await iapo(command);
    expect(code, command.join(" ")).toBe(1);
    expect(err).toMatch(/\/proc\/nope/);
  }
});

test("escapes in what others wrote reach no terminal", async () => {
  const steering = "\u001b]0;PWNED\u0007\u001b[2J\u009b2J\u202e";
  const hostile = at("hostile");
  cpSync(run, hostile, { recursive: true });
  const file = join(hostile, "run.json");
  const record = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...record, [steering]: 1 }));
  const wrong = at("wrong.yaml");
  writeFileSync(wrong, `extends: ${JSON.stringify(`nano${steering}`)}\n`);
  for (const args of [
    ["train", "--trust", "--resume", hostile],
    ["report", hostile],
    ["plan", wrong],
    ["train", `x${steering}`],
  ]) {
    const { code, out, err } = await iapo(args);
    expect(code).not.toBe(0);
    expect(err).toContain("PWNED");
    expect(out + err).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e]/u);
  }
});

test("an error is not hidden by another one while things were released", () => {
  const first = new TrainerError("config", "my.yaml: the cause");
  const hidden = new SuppressedError(new Error("EROFS"), new SuppressedError(new Error("EIO"), first));
  expect([exitCodeOf(hidden), explain(hidden)]).toEqual([2, "iapo: my.yaml: the cause (config)"]);
});
