// Runs shared with real worker processes: the same SHA-256 of steps, checkpoints and images as without, whoever was killed when.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readStep, stepPath } from "@iapo/rollout-trace/files";
import { adapterNames } from "@iapo/tensor-core";
import { beforeAll, expect, test, vi } from "vitest";
import { fingerprint } from "../support/fingerprint.ts";
import { expectRefusal, sharedFolder, start } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const folder = sharedFolder();
const small = ["steps=2", "groups=2", "rollout.samples=2", "rollout.maxTokens=12", "evaluate=", "update.split=group"];
const args = ["train", "nano-iapo-anchored", ...small.flatMap((setting) => ["--set", `grpo.${setting}`])];
let alone: Record<string, string>;

beforeAll(async () => {
  const { code, err } = await start([...args, "--out", join(folder, "alone")]).ended;
  expect(code, err).toBe(0);
  alone = fingerprint(join(folder, "alone"));
});

/** What each step says of who did what. */
function shared(run: string) {
  const lines = readFileSync(join(run, "fleet.jsonl"), "utf8").trim().split("\n");
  return lines.map(
    (line) => JSON.parse(line) as { step: number; units: number; workers: Record<string, { units: number }> },
  );
}

test("two workers of this machine, each on the card that is named: the same bits, and a line a step of who did what", async () => {
  const run = join(folder, "two");
  const [card = ""] = (await adapterNames()).map((name) => name.replace(/ \([^()]*\)$/, "")); // without its backend
  const there = ["--fleet", "2", "--min-workers", "2", "--verify", "0.5", "--adapter", card];
  const { code, err } = await start([...args, ...there, "--out", run]).ended;
  expect(code, err).toBe(0);
  // An adapter that its name does not choose is refused, see below.
  const cards = Array.from(err.matchAll(/process \d+: iapo worker \S+ on (\S.*)/g), ([, name]) => name);
  expect(cards).toEqual([cards[0], cards[0]]);
  expect(fingerprint(run)).toEqual(alone);
  expect(shared(run).map(({ step }) => step)).toEqual([0, 1]);
  // Two parts of rollouts and explanations, two gradients; whose copy of a unit is there first, the machine decides.
  for (const { units } of shared(run)) expect(units).toBeGreaterThanOrEqual(6);
  const { fleet } = JSON.parse(readFileSync(join(run, "run.json"), "utf8"));
  expect(Object.keys(fleet.workers).length).toBeGreaterThanOrEqual(1);
  expect(existsSync(join(run, "fleet-now.json"))).toBe(false); // nobody is at work any more
});

test("rollouts may be a step ahead of the policy: paced, none left out, and each trace says by which version", async () => {
  const run = join(folder, "ahead");
  const more = ["--set", "grpo.maxLag=1", "--set", "grpo.steps=3", "--fleet", "2", "--min-workers", "2", "--out", run];
  const { code, err } = await start([...args, ...more]).ended;
  expect(code, err).toBe(0);
  const lags = await Promise.all(
    [0, 1, 2].map(async (step) => {
      const { traces, log } = await readStep(stepPath(join(run, "steps"), step));
      expect(traces).toHaveLength(4);
      const lag = new Set(traces.map(({ policyVersion }) => step - policyVersion));
      expect(log.metrics["rollout/lag/max"]).toBe(Math.max(...lag));
      return [...lag];
    }),
  );
  expect(lags[0]).toEqual([0]);
  expect(Math.max(...lags.flat())).toBe(1); // what a worker leaves undone is made here, by the newest version
  expect(Math.min(...lags.flat())).toBeGreaterThanOrEqual(0);
  expect(JSON.parse(readFileSync(join(run, "run.json"), "utf8")).settings.grpo.maxLag).toBe(1);
});

test("workers that are killed by SIGKILL while they work: the same bits", async () => {
  const run = join(folder, "killed");
  const { child, ended } = start([...args, "--fleet", "2", "--min-workers", "1", "--out", run]);
  let aimed = 0;
  let kills = 0;
  let said = "";
  child.stderr?.on("data", (text: Buffer) => {
    said += text;
    // Each worker dies soon after it was admitted, while it has a unit; the third and later ones live.
    const admitted = [...said.matchAll(/process (\d+): admitted/g)].map(([, pid]) => Number(pid));
    const next = admitted[aimed];
    if (next === undefined || aimed > 2) return;
    aimed++;
    setTimeout(() => {
      try {
        process.kill(next, "SIGKILL");
        kills++;
      } catch {
        // It was admitted so late that the run, and with it this worker, has ended meanwhile.
      }
    }, 300);
  });
  const { code, err } = await ended;
  expect(code, err).toBe(0);
  expect(kills).toBeGreaterThanOrEqual(2);
  expect(err).toMatch(/process \d+ ended by SIGKILL/);
  expect(fingerprint(run)).toEqual(alone);
});

test("options of a fleet without one, and words that are none, are refused", async () => {
  await expectRefusal(["train", "nano-grpo", "--min-workers", "2"], 2, /--min-workers is of --fleet/);
  await expectRefusal(["train", "nano-grpo", "--fleet", "2", "--run", "x"], 2, /--run is the name on a server/);
  await expectRefusal(["train", "nano-grpo", "--fleet", "somewhere"], 1, /somewhere is no address of a NATS server/);
  // In processes of their own: the tests' has chosen its adapter, and has a parent that it could talk to.
  const nowhere = ["--server", "nats://127.0.0.1:1", "--run", "x"];
  const without = await start(["worker", "--adapter", "no such card", ...nowhere]).ended;
  expect([without.code, without.err]).toEqual([
    3,
    expect.stringMatching(/no adapter's name contains "no such card"; there are: \S.* \(\w+\)/),
  ]);
  const orphan = await start(["worker", "--server", "parent"]).ended;
  expect([orphan.code, orphan.err]).toEqual([1, expect.stringMatching(/was not started as a worker/)]);
  await expectRefusal(["worker", "--server", "parent", "--roles", "cook"], 2, /cook is none of rollout/);
  await expectRefusal(["worker", "--server", "nats://127.0.0.1:1"], 2, /--run is needed/);
  await expectRefusal(["worker", "--server", "nats://127.0.0.1:1", "--run", "x"], 1, /127.0.0.1:1 cannot be reached/);
  await expectRefusal(["fleet", "status", "--server", "nats://127.0.0.1:1", "--run", "a b"], 2, /must be a word/);
});
