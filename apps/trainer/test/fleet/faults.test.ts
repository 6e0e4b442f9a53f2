// A run and real worker processes that have a fault: who computes with something else is refused and told why, a slow one's work is done twice, one that
// computes wrongly is named; and what the run wrote is what it writes alone.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FleetError, Hub, serveChild } from "@iapo/fleet";
import { type FleetOptions, openJob, runJob } from "@iapo/jobs";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { fingerprint } from "../support/fingerprint.ts";
import { sharedFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const folder = sharedFolder();
const small = ["steps=2", "groups=2", "rollout.samples=2", "rollout.maxTokens=12", "evaluate=", "update.split=group"];
const set = small.map((setting) => `grpo.${setting}`);
let alone: Record<string, string>;

const run = (directory: string, fleet?: FleetOptions) =>
  runJob(openJob("nano-iapo-anchored", { kind: "train", set, directory: join(folder, directory) }), { fleet });

beforeAll(async () => {
  await run("alone");
  alone = fingerprint(join(folder, "alone"));
});

/** A hub, and what starts a process with workers at it. */
function hubOf() {
  const hub = new Hub();
  const begin = (...faults: string[]): void => {
    const child = fork(join(import.meta.dirname, "support/faulty-worker.ts"), faults, {
      serialization: "advanced",
      execArgv: ["--conditions=@iapo/source", "--no-warnings"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    serveChild(hub, child);
  };
  return { hub, begin };
}

function linesOf(directory: string): { copies: number; units: number; workers: Record<string, { units: number }> }[] {
  return readFileSync(join(folder, directory, "fleet.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("workers with other weights, versions, kernels or adapters are refused by name; the slow and the hostile change no bit", async () => {
  const { hub, begin } = hubOf();
  const others = ["other-weights", "other-version", "other-kernels", "other-adapter"];
  const news: string[] = [];
  const onNews = (text: string): void => {
    news.push(text);
    // Those who take part come when the others were refused, so that the run does not end before.
    if (news.filter((line) => /^worker other-\w+ is refused/.test(line)).length < others.length || hasBegun) return;
    hasBegun = true;
    for (const fault of ["none", "slow", "hostile"]) begin(fault);
  };
  let hasBegun = false;
  begin(...others);
  await run("faulty", { transport: hub.connect(), minWorkers: 3, onNews });
  const refused = news.filter((line) => / is refused: /.test(line)).join("\n");
  expect(refused).toMatch(
    /worker other-weights is refused: .*content of model\/model\.safetensors is \w{12}, the learner's \w{12}/,
  );
  expect(refused).toMatch(/worker other-version is refused: .*version of @iapo\/grpo is 0\.0\.1/);
  expect(refused).toMatch(/worker other-kernels is refused: .*kernels is of another card/);
  expect(refused).toMatch(
    /worker other-adapter is refused: .*adapter is another card.*--mixed of iapo train admits it/,
  );
  expect(refused).toMatch(/worker hostile is refused: its result of a unit for [\w-]+ is none/);
  const lines = linesOf("faulty");
  expect(lines.flatMap(({ workers }) => Object.keys(workers))).not.toContain("hostile");
  expect(lines.reduce((sum, { copies }) => sum + copies, 0)).toBeGreaterThan(0); // the slow one's unit, and the hostile one's
  expect(fingerprint(join(folder, "faulty"))).toEqual(alone);
  const { fleet } = JSON.parse(readFileSync(join(folder, "faulty", "run.json"), "utf8"));
  expect(fleet).toMatchObject({ mixed: false, workers: { none: { units: expect.any(Number) } } });
});

test("--mixed admits another adapter, and run.json says so; a worker that gives wrong bits is found, and both are named", async () => {
  const { hub, begin } = hubOf();
  for (const fault of ["other-adapter", "wrong-bits"]) begin(fault);
  const error = await run("wrong", { transport: hub.connect(), minWorkers: 2, verify: 1, mixed: true }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FleetError);
  expect(error).toMatchObject({ code: "conflict" });
  expect((error as Error).message).toMatch(
    /(other-adapter on .* and wrong-bits|wrong-bits on .* and other-adapter) on .* same unit/,
  );
  expect(JSON.parse(readFileSync(join(folder, "wrong", "run.json"), "utf8")).fleet).toMatchObject({ mixed: true });
});
