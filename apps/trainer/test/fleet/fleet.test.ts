// Runs shared with real worker processes: the same SHA-256 of steps, checkpoints and images as without, whoever was killed when.
import { readFileSync } from "node:fs";
import { join } from "node:path";
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

test("two workers of this machine: the same bits, and a line a step of who did what", async () => {
  const run = join(folder, "two");
  const { code, err } = await start([...args, "--fleet", "2", "--min-workers", "2", "--verify", "0.5", "--out", run])
    .ended;
  expect(code, err).toBe(0);
  expect(fingerprint(run)).toEqual(alone);
  expect(shared(run).map(({ step }) => step)).toEqual([0, 1]);
  for (const { units, workers } of shared(run)) {
    expect(units).toBeGreaterThanOrEqual(6); // two parts of rollouts and explanations, two gradients
    expect(Object.keys(workers)).toHaveLength(2);
  }
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
  // In a process of its own: one of the tests' has a parent that it could talk to.
  const orphan = await start(["worker", "--server", "parent"]).ended;
  expect([orphan.code, orphan.err]).toEqual([1, expect.stringMatching(/was not started as a worker/)]);
  await expectRefusal(["worker", "--server", "parent", "--roles", "cook"], 2, /cook is none of rollout/);
  await expectRefusal(["worker", "--server", "nats://127.0.0.1:1"], 2, /--run is needed/);
  await expectRefusal(["worker", "--server", "nats://127.0.0.1:1", "--run", "x"], 1, /127.0.0.1:1 cannot be reached/);
  await expectRefusal(["fleet", "status", "--server", "nats://127.0.0.1:1", "--run", "a b"], 2, /must be a word/);
});
