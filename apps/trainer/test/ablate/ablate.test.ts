// iapo ablate through the real binary: a queue that is killed amid a run, goes on, and writes what it found; bad input.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listCheckpoints } from "@iapo/grpo";
import { expect, test } from "vitest";
import { expectRefusal, start, temporaryFolder } from "../support/iapo.ts";
import { nanoModels } from "../support/nano-model.ts";

const small = [
  ...["grpo.groups=1", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6"],
  "environment.tools.strictOrientation=false",
  ...["grpo.evaluate.tasks=2", "grpo.evaluate.every=1", "grpo.checkpoint.every=1"],
].flatMap((one) => ["--set", one]);

test("killed amid a run, it goes on there, and ends in tables and figures", async () => {
  const folder = temporaryFolder();
  const [out, student] = [join(folder, "out"), join(folder, "student")];
  await nanoModels([student]);
  const which = ["--only", "grpo", "--seeds", "1", "--steps", "3", "--tests", "2", "--split", "validation"];
  const args = ["ablate", ...which, "--model", `nano-student=${student}`, ...small, "--out", out];
  const run = join(out, "runs/nano-grpo-seed-1");
  const first = start(args);
  const looking = setInterval(
    () => existsSync(join(run, "checkpoints/step-000001")) && first.child.kill("SIGKILL"),
    20,
  );
  expect((await first.ended).signal).toBe("SIGKILL");
  clearInterval(looking);
  expect(JSON.parse(readFileSync(join(out, "queue.json"), "utf8")).jobs).toMatchObject({
    "nano-student": { state: "done" },
    "nano-grpo-seed-1": { state: "begun" },
  });

  const second = await start([...args, "--hours", "0.56"]).ended; // no whole number of milliseconds in floating point
  expect(second.err).not.toMatch(/nano-student: measure/);
  expect(second.code).toBe(0);
  expect(second.out).toMatch(/^2 of 2 done; tables and figures: /);
  expect((await listCheckpoints(join(run, "checkpoints"))).at(-1)?.step).toBe(3);
  expect(readFileSync(join(run, "starts.jsonl"), "utf8").trimEnd().split("\n").length).toBeGreaterThan(1);

  for (const model of ["nano-student", "nano-grpo-seed-1-after-3"]) {
    const settings = JSON.parse(readFileSync(join(out, "measures/validation-2", model, "eval.json"), "utf8"));
    expect(settings.environment.tools.strictOrientation).toBe(false); // measured as it was trained
  }

  const results = join(out, "results");
  const { models, configurations } = JSON.parse(readFileSync(join(results, "results.json"), "utf8"));
  expect(models).toMatchObject([{ name: "nano-student", measured: { tasks: 2 } }]);
  const [grpo] = configurations;
  expect(grpo).toMatchObject({ name: "nano-grpo", missing: "", results: [{ steps: 3, after: { tasks: 2 } }] });
  expect(grpo.results[0].curve.map(({ step }: { step: number }) => step)).toEqual([1, 2, 3]);
  const tables = readFileSync(join(results, "tables.md"), "utf8");
  expect(tables).toMatch(/^# Ablation[\s\S]*`iapo ablate --only grpo [^`]*`: seeds 1, 3 steps/);
  expect(tables).toMatch(/\| GRPO \| 1 \| 3 \| 0\.\d{3} \|/);
  expect(tables).toMatch(/## At equal time/);
  expect(readFileSync(join(results, "jobs.csv"), "utf8").trimEnd().split("\n")).toHaveLength(3);
  expect(readdirSync(join(results, "table-1"))).toContain("final-metrics.md");
  expect(readFileSync(join(results, "time.svg"), "utf8")).toMatch(/minutes of training/);
}, 600_000);

test.runIf(process.env.IAPO_FULL === "1")(
  "when its time is over the run at work writes its checkpoint; later it goes on, and is trained on for some time",
  async () => {
    const folder = temporaryFolder();
    const [out, student] = [join(folder, "out"), join(folder, "student")];
    await nanoModels([student]);
    const which = ["--only", "grpo", "--seeds", "2", "--tests", "2", "--split", "validation"];
    const args = ["ablate", ...which, "--model", `nano-student=${student}`, ...small, "--minutes", "0.1", "--out", out];
    const seldom = ["--set", "grpo.checkpoint.every=100000"];
    const long = [...args, "--steps", "100000", ...seldom];
    const stopped = await start([...long, "--hours", "0.01"]).ended;
    expect([stopped.code, stopped.err]).toEqual([
      0,
      expect.stringMatching(/the time is over; the same command goes on/),
    ]);
    const checkpoints = join(out, "runs/nano-grpo-seed-2/checkpoints");
    const reached = (await listCheckpoints(checkpoints)).at(-1);
    expect(reached!.step).toBeGreaterThan(0);
    const steps = reached!.step + 1;
    const ended = await start([...args, "--steps", String(steps), ...seldom]).ended;
    expect(ended.code).toBe(0);
    const { configurations } = JSON.parse(readFileSync(join(out, "results/results.json"), "utf8"));
    const [result] = configurations[0].results;
    expect(result).toMatchObject({ seed: 2, steps, after: { tasks: 2 }, afterTime: { measured: { tasks: 2 } } });
    expect(result.afterTime.steps).toBeGreaterThanOrEqual(steps);
    expect(result.afterTime.seconds).toBeGreaterThanOrEqual(6);
  },
  600_000,
);

test.each([
  [["--only", "grop"], 2, /no configuration grop \(did you mean grpo\?\); there are: grpo, torl/],
  [["--hours", "four"], 2, /must be a number above 0/],
  [["--hours", "-1"], 2, /must be a number above 0/],
  [["--seeds", "1,x"], 2, /whole number of at least 1/],
  [["--model", "nano-student"], 2, /must be NAME=DIRECTORY/],
  [["--model", "nano-student=/nowhere"], 2, /\/nowhere: there is no such directory/],
  [["--model", `nano-student=${import.meta.dirname}`], 2, /is not a model directory: it holds no config\.json/],
] as const)("%j is refused", async (args, code, message) => {
  const out = join(temporaryFolder(), "out");
  await expectRefusal(["ablate", ...args, "--out", out], code, message);
  expect(existsSync(out)).toBe(false);
});
