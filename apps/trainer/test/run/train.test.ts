// iapo train and iapo sft from end to end: what they leave, and that nothing is lost when they are killed, interrupted, cut off or starved.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDirectory } from "@iapo/grpo/run-directory";
import { readStep } from "@iapo/rollout-trace/files";
import { storedVisualContent } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runCli } from "../../src/cli.ts";
import { VirtualTerminal } from "../progress/virtual-terminal.ts";
import { fingerprint } from "../support/fingerprint.ts";
import { canFillDisk, onFullDisk, onReadOnlyDisk } from "../support/full-disk.ts";
import { expectRefusal, iapo, start, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const recipe = `extends: nano-grpo
model: { directory: nano-base, initialize: 1 }
grpo:
  steps: 3
  groups: 2
  rollout: { samples: 2, maxTokens: 6 }
  checkpoint: { every: 1, keep: 1 }
  evaluate: { every: 2, tasks: 2 }
`;

let root: string;
let config: string;
let whole: string;
const terminal = new VirtualTerminal(100);
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "iapo-train-"));
  config = join(root, "tiny.yaml");
  writeFileSync(config, recipe);
  whole = join(root, "whole");
  const io = { out: () => {}, note: () => {}, signal: new AbortController().signal, terminal };
  expect(await runCli(["train", config, "--out", whole], io)).toBe(0);
});
afterAll(() => rmSync(root, { recursive: true }));

test("a run leaves its configuration, starts, steps, images, events and checkpoints; the screen ends at its last step", async () => {
  expect(readdirSync(whole).sort()).toEqual([
    "checkpoints",
    "config.yaml",
    "events.out.tfevents.0000000000.iapo",
    "images",
    "run.json",
    "starts.jsonl",
    "steps",
    "timings.jsonl",
  ]);
  const begun = JSON.parse(readFileSync(join(whole, "starts.jsonl"), "utf8"));
  expect(begun).toMatchObject({ node: process.versions.node, parity: true, packages: { "@iapo/grpo": "0.1.0" } });
  expect(begun.adapter.family).toBe(JSON.parse(readFileSync(join(whole, "run.json"), "utf8")).kernelFamily);
  const { traces } = await readStep(join(whole, "steps/step-000000.jsonl"));
  for (const { task } of traces)
    expect(statSync(join(whole, "images", `${storedVisualContent(task).image.id}.png`)).size).toBeGreaterThan(100);
  expect(terminal.lines[0]).toMatch(/^iapo train tiny in /);
  expect(terminal.lines[1]).toMatch(/^step 3\/3 \[=+\] 100 % {2}/);
  expect(terminal.lines.join("\n")).toMatch(
    /reward 0\.\d+ {2}tool calls [\s\S]*s\/step {2}\d+ tokens\/s {2}ETA 0 s {2}GPU \d+ MiB of \d+ MiB reserved {2}peaks/,
  );
});

test("killed and resumed, a run is the same to the byte", async () => {
  const directory = join(root, "killed");
  const { child, ended } = start(["train", config, "--out", directory, "--json"]);
  child.stdout!.on("data", (chunk) => {
    if (/"phase":"\w+","step":1/.test(String(chunk))) child.kill("SIGKILL");
  });
  expect((await ended).signal).toBe("SIGKILL");
  const { code, out } = await iapo(["train", "--resume", directory, "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out.trim().split("\n").at(-1)!)).toMatchObject({ event: "end", done: true, step: 3, directory });
  expect(fingerprint(directory)).toEqual(fingerprint(whole));
  expect(readdirSync(directory).filter((name) => name.endsWith(".lock"))).toEqual([]);
});

test("while a run is at work nobody else is; an interrupt checkpoints, and it goes on to the same bytes", async () => {
  const directory = join(root, "interrupted");
  const { child, ended } = start(["train", config, "--out", directory]);
  let asked: Promise<void> | undefined;
  child.stderr!.on("data", (chunk) => {
    if (!asked && String(chunk).includes("step 1/3")) {
      const message = expect.stringMatching(new RegExp(`in use by process ${child.pid} on .*since 20`));
      asked = expect(lockDirectory(directory)).rejects.toMatchObject({ code: "busy", message });
      void asked.finally(() => child.kill("SIGINT"));
    }
  });
  const { code, signal, err, out } = await ended;
  await asked;
  expect({ code, signal }).toEqual({ code: 130, signal: null });
  expect(err).toContain(`interrupted; go on with: iapo train --resume ${directory}`);
  expect(out).toMatch(/^[12] of 3 steps in /);
  const quiet = await iapo(["--quiet", "train", config, "--out", directory, "--resume"]);
  expect(quiet.err.replace(/^Warning: max\w+ artificially reduced .*\n/gm, "")).toBe(""); // that is Dawn's own
  expect(fingerprint(directory)).toEqual(fingerprint(whole));
});

test("an interrupt while it loads leaves nothing", async () => {
  const directory = join(root, "loading");
  const notes: string[] = [];
  const io = { out: () => {}, note: (text: string) => notes.push(text), signal: AbortSignal.abort() };
  const trained = ["--set", "model.initialize=", "--set", "model.directory=nano-student"];
  expect(await runCli(["train", config, ...trained, "--out", directory], io)).toBe(130);
  expect(notes.at(-1)).toBe("interrupted before it began; the same command begins it again");
  expect(existsSync(directory)).toBe(false);
});

test("a reader who goes away ends the run in order", async () => {
  const directory = join(root, "unread");
  const { child, ended } = start(["train", config, "--out", directory, "--json", "--set", "grpo.steps=1000"]);
  child.stdout!.on("data", (chunk) => {
    if (String(chunk).includes('"phase":"rollout"')) child.stdout!.destroy();
  });
  const { code, err } = await ended;
  expect(code).toBe(130);
  expect(err).not.toMatch(/EPIPE|^ +at /m);
  expect(readdirSync(directory).filter((name) => name.endsWith(".lock"))).toEqual([]);
});

test("refusals: one screen, the code as documented, nothing written", async () => {
  const folder = temporaryFolder();
  const out = ["--out", join(folder, "run")];
  await expectRefusal(
    ["train", config, "--set", "grpo.stepz=1", ...out],
    2,
    /unknown key "stepz".*\n.*\n.*\n.*"steps"/,
  );
  await expectRefusal(["train", config, "--set", "grpo.steps=many", ...out], 2, /grpo.steps: expected number/);
  await expectRefusal(["train", join(folder, "none.yaml"), ...out], 2, /none.yaml: there is no such file or recipe/);
  await expectRefusal(["train", config, "--set", `model.directory=${folder}`, ...out], 2, /is not a model directory/);
  await expectRefusal(["sft", config, ...out], 2, /no section supervised/);
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(join(folder, "letter.txt"), "");
  await expectRefusal(["train", config, "--out", folder], 1, /not empty and holds no run \(letter.txt\)/);
  await expectRefusal(
    ["train", config, "--out", whole],
    1,
    /holds a run already; resume it.*\(run_exists: --resume, --out\)/,
  );
  await expectRefusal(["train", config, "--out", join(folder, "letter.txt/run")], 1, /ENOTDIR|EEXIST/);
  expect(readdirSync(folder)).toEqual(["letter.txt"]);
});

test("models without weights are refused, whoever's they are, and nothing is left", async () => {
  const judge =
    "judge: { endpoint: http://localhost:1/v1, model: judge }\nenvironment: { scoring: { scoring: judge } }\n";
  const judged = join(root, "judged.yaml");
  writeFileSync(judged, `${recipe.replace("nano-grpo", "nano-iapo-occlusion")}${judge}`);
  for (const whose of ["model.initialize=", "teacher.directory=nano-base"]) {
    const directory = join(root, "unweighted");
    const { code, out, err } = await iapo(["train", judged, "--set", whose, "--out", directory]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/holds neither model.safetensors/);
    expect(existsSync(directory)).toBe(false);
  }
});

test("other settings on resume are refused; the run stands", async () => {
  const before = fingerprint(whole);
  const other = await iapo(["train", "--resume", whole, "--set", "grpo.groups=3"]);
  expect(other).toMatchObject({ code: 1, out: "", err: expect.stringMatching(/made with other settings/) });
  expect(fingerprint(whole)).toEqual(before);
});

test("without an adapter: exit code 3", async () => {
  const nowhere = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };
  const { code, err } = await start(["train", config, "--out", join(root, "no-adapter")], nowhere).ended;
  expect(code).toBe(3);
  expect(err).toMatch(/iapo: no WebGPU adapter was found/);
  expect(existsSync(join(root, "no-adapter"))).toBe(false);
});

test("--dry-run says what would run and writes nothing", async () => {
  const folder = temporaryFolder();
  const { code, out } = await iapo(["train", config, "--dry-run", "--out", join(folder, "run")]);
  expect(code).toBe(0);
  expect(out).toMatch(/3 steps in [\s\S]*585968 weights in[\s\S]*the first is nano-1-train-0, a prompt of \d+ tokens/);
  expect(readdirSync(folder)).toEqual([]);
});

/** Each ends at another place: the lock, `config.yaml`, images or steps, the first checkpoint, the second one beside it. */
const sizes = process.env.IAPO_FULL === "1" ? ["4k", "8k", "32k", "64k", "3m", "10m"] : ["10m"];

test.skipIf(!canFillDisk).each(sizes)(
  "a disk of %s that is full ends the run with its reason; with room it goes on to the same bytes",
  async (size) => {
    const copy = join(root, `starved-${size}`);
    const starved = await onFullDisk(["train", config, "--resume", "--out"], { size, copy });
    expect(starved.said).toMatch(/^iapo: .*disk\/made.* cannot be .*: .*ENOSPC.*make room on its disk/m);
    expect(starved.said).not.toMatch(/^ +at .*\.[tj]s:/m);
    expect(starved.code).toBe(1);
    expect(starved.again, starved.again!.said).toMatchObject({ code: 0 });
    expect(fingerprint(copy)).toEqual(fingerprint(whole));
  },
);

test.skipIf(!canFillDisk)(
  "a directory that becomes read-only ends the run with its reason; when it can be written it goes on to the same bytes",
  async () => {
    const copy = join(root, "read-only");
    const moment = "steps/step-000000.jsonl";
    const stopped = await onReadOnlyDisk(["train", config, "--resume", "--out"], { moment, copy });
    expect(stopped.said).toMatch(/^iapo: .*disk\/made.* cannot be .*: EROFS.*its disk is read-only: make it writable/m);
    expect(stopped.said).not.toMatch(/^ +at .*\.[tj]s:/m);
    expect(stopped).toMatchObject({ code: 1, out: "", again: { code: 0 } });
    expect(fingerprint(copy)).toEqual(fingerprint(whole));
  },
);

test("iapo sft learns; killed, or on a full disk, it goes on to the same bytes", async () => {
  const [once, killed, starved] = [join(root, "sft-once"), join(root, "sft-killed"), join(root, "sft-starved")];
  const settings = ["steps=4", "batchSize=4", "optimizer.warmupSteps=0", "checkpoint.every=2"];
  const args = ["sft", "nano-sft", ...settings.flatMap((setting) => ["--set", `supervised.${setting}`])];
  const { code, out } = await iapo([...args, "--out", once]);
  expect(code).toBe(0);
  const [, first, last] = /train\/loss (\S+) -> (\S+)/.exec(out) ?? [];
  expect(Number(last)).toBeLessThan(Number(first));

  const { child, ended } = start([...args, "--out", killed, "--json"]);
  child.stdout!.on("data", (chunk) => {
    if (/"phase":"\w+","step":3/.test(String(chunk))) child.kill("SIGKILL");
  });
  expect((await ended).signal).toBe("SIGKILL");
  const left = Object.keys(fingerprint(killed)).join();
  expect(left).toContain("checkpoints/step-000002/");
  expect(left).not.toMatch(/steps\/step-000003\.jsonl(,|$)/);
  expect((await iapo([...args, "--out", killed, "--resume"])).code).toBe(0);
  expect(fingerprint(killed)).toEqual(fingerprint(once));

  if (process.env.IAPO_FULL !== "1") return;
  const { said, again } = await onFullDisk([...args, "--resume", "--out"], { size: "3m", copy: starved });
  expect(said).toMatch(
    /^iapo: .*checkpoints\/step-000002 cannot be written: .*ENOSPC.*make room on its disk, then resume/m,
  );
  expect(again, again!.said).toMatchObject({ code: 0 });
  expect(fingerprint(starved)).toEqual(fingerprint(once));
});
