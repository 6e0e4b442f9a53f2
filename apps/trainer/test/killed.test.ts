// Commands that are killed at some moment, through the real binary: nothing half-written stands under a final name, and the same command again
// gives what a whole run gives. `train`, `sft`: run/train.test.ts; `eval`, `diagnose`, `ablate`: their own tests.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { fingerprint, fingerprintOf } from "./support/fingerprint.ts";
import { iapo, sharedFolder, start } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 });

const folder = sharedFolder();
const run = join(folder, "run");
beforeAll(() => smallRun(run));

/** Kills the command as soon as `moment` has come. */
async function killedAt(args: readonly string[], moment: () => boolean): Promise<void> {
  const { child, ended } = start(args);
  const looking = setInterval(() => moment() && child.kill("SIGKILL"), 2);
  const { signal, err } = await ended;
  clearInterval(looking);
  expect(signal, err).toBe("SIGKILL");
}

async function done(args: readonly string[]): Promise<void> {
  const { code, err } = await start(args).ended;
  expect(code, err).toBe(0);
}

test.each([
  ["data", "render", "nano", "--count", "20", "--out"],
  ["export", run, "--out"],
])("killed while it writes, %s %s leaves nothing under its name, and works again", async (...args) => {
  const at = join(folder, args[0]!);
  const [whole, killed] = [join(at, "whole"), join(at, "killed")];
  await done([...args, whole]);
  await killedAt([...args, killed], () => readdirSync(at).some((name) => name.startsWith("killed.")));
  expect(existsSync(killed)).toBe(false);
  await done([...args, killed]);
  expect(readdirSync(at).sort()).toEqual(["killed", "whole"]);
  expect(fingerprintOf(killed, /./)).toEqual(fingerprintOf(whole, /./));
});

test.each([
  ["attribute", "nano-student", "--teacher", "nano-teacher", "--nano", "1"],
  ["report", run],
])("killed among the files that it writes, %s leaves whole ones, and works again", async (command, ...args) => {
  const into = (name: string): string[] => {
    const at = join(folder, command, name);
    mkdirSync(at, { recursive: true });
    const out = command === "report" ? ["--out", join(at, "page.html"), "--figures", at] : ["--out", at];
    return [command, ...args, ...out];
  };
  const files = (name: string, which = /./) => fingerprintOf(join(folder, command, name), which);
  const before = fingerprintOf(run, /./);
  await done(into("whole"));
  await killedAt(into("killed"), () => readdirSync(join(folder, command, "killed")).length > 0);
  expect(Object.entries(files("whole"))).toEqual(
    expect.arrayContaining(Object.entries(files("killed", /(?<!\.partial|\.lock)$/))),
  );
  await done(into("killed"));
  expect(files("killed")).toEqual(files("whole"));
  expect(fingerprintOf(run, /./)).toEqual(before);
});

test.runIf(process.env.IAPO_FULL === "1")(
  "a demo that is killed while it measures, trains, exports and measures again ends as one that is not",
  async () => {
    const [whole, killed] = [join(folder, "demo"), join(folder, "demo-killed")];
    const args = ["demo", "--steps", "1", "--charts", "16", "--out"];
    const moments = ["before/step-000000.jsonl.partial", "run/steps/step-000000.jsonl.partial", "model", "after"];
    for (const moment of moments) {
      await killedAt([...args, killed], () => existsSync(join(killed, moment)));
      expect(existsSync(join(killed, "result.json"))).toBe(false);
    }
    await done([...args, killed]);
    await done([...args, whole]);
    expect(fingerprint(join(killed, "run"))).toEqual(fingerprint(join(whole, "run")));
    for (const part of ["model", "before", "after", "teacher"])
      expect(fingerprintOf(join(killed, part), /./)).toEqual(fingerprintOf(join(whole, part), /./));
    const columns = (directory: string) => JSON.parse(readFileSync(join(directory, "result.json"), "utf8")).columns;
    expect(columns(killed)).toEqual(columns(whole));
  },
);

test.runIf(process.env.IAPO_FULL === "1")("a case study that is killed does not make twice what it has", async () => {
  const args = ["case-study", "--model", "nano-student", "--charts", "4", "--methods", "occlusion", "--out"];
  const [whole, killed] = [join(folder, "study"), join(folder, "study-killed")];
  await done([...args, whole]);
  const journal = join(killed, "case-study.jsonl");
  await killedAt([...args, killed], () => existsSync(journal) && readFileSync(journal, "utf8").includes("\n"));
  expect(existsSync(join(killed, "case-study.json"))).toBe(false);
  const { code, err } = await iapo([...args, killed]);
  expect(code).toBe(0);
  expect(err).toMatch(/^teacher: /m);
  expect(err).not.toMatch(/student\/: /);
  expect(fingerprintOf(killed, /case-study/)).toEqual(fingerprintOf(whole, /case-study/));
});
