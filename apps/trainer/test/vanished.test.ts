// A directory that is deleted or moved while a command works in it: the command ends with what happened, makes no second one in its place, and
// what was moved stays whole.
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fingerprint } from "./support/fingerprint.ts";
import { iapo, start } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 300_000 });

const full = process.env.IAPO_FULL === "1";
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "iapo-vanished-"));
  writeFileSync(join(root, "run.yaml"), recipe);
});
afterAll(() => rmSync(root, { recursive: true }));

const recipe = `extends: nano-grpo
model: { directory: nano-student }
grpo:
  steps: 4
  groups: 2
  rollout: { samples: 2, maxTokens: 12 }
  checkpoint: { every: 2, keep: 1 }
  evaluate:
`;
const train = () => ["train", join(root, "run.yaml")];

/** Commands with what they say when the directory has something in it, and is worked in. */
const cases: readonly [name: string, args: () => string[], moment: RegExp][] = [
  ["train", train, /step 1\/4/],
  ["eval", () => ["eval", "nano-student", "--limit", "6", "--batch", "1", "--max-tokens", "12"], /2 of 6 tasks/],
  ["diagnose", () => ["diagnose", "--charts", "6"], /1 of \d+ charts/],
  ["sft", () => ["sft", "nano-sft", "--set", "supervised.batchSize=2"], /step 2\//],
];

/** At once, whatever is written into it meanwhile. */
function remove(directory: string): void {
  renameSync(directory, `${directory} then`);
  rmSync(`${directory} then`, { recursive: true, maxRetries: 5 });
}

async function whileItWorks(args: readonly string[], moment: RegExp, change: () => void) {
  const { child, ended } = start(args);
  let said = "";
  child.stderr?.on("data", (chunk) => {
    if (moment.test(said)) return;
    said += chunk;
    if (moment.test(said)) change();
  });
  return ended;
}

test.each(full ? cases : cases.slice(0, 2))("%s in a directory that is deleted", async (name, args, moment) => {
  const out = join(root, `deleted ${name}`);
  const { code, err, out: result } = await whileItWorks([...args(), "--out", out], moment, () => remove(out));
  expect(err).toMatch(/^iapo: .*deleted .*(is gone|was deleted|its folder is gone).*$/m);
  expect({ code, result }).toEqual({ code: 1, result: "" });
  expect(existsSync(out)).toBe(false);
});

test.runIf(full)("a run that is moved ends, and goes on from where it was moved to", async () => {
  const [out, elsewhere, whole] = [join(root, "moved"), join(root, "elsewhere"), join(root, "whole")];
  const { code, err } = await whileItWorks([...train(), "--out", out], /step 1\/4/, () => renameSync(out, elsewhere));
  expect(err).toMatch(/^iapo: .*moved.*(was deleted, moved or taken|its folder is gone).*$/m);
  expect([code, existsSync(out)]).toEqual([1, false]);
  expect((await iapo(["train", "--resume", elsewhere, "--out", elsewhere])).code).toBe(0);
  expect((await iapo([...train(), "--out", whole])).code).toBe(0);
  expect(fingerprint(elsewhere)).toEqual(fingerprint(whole));
  expect(readdirSync(elsewhere).filter((file) => /lock|partial/.test(file))).toEqual([]);
});
