/**
 * One run, made by no worker, by one, by many, by killed ones, over killed servers and slow links: the same SHA-256 of steps, checkpoints and images;
 * and GRPO, distillation, an adapter, examples, each with two workers and without.
 * Prints `{ name, rows: [{ case, unit, ours, correct, ... }] }`: `ours` is the time of the whole run, `correct` whether the bytes are those of the first
 * run of the same command. Each row is in bench/results/fleet-bits.json as soon as it is made; one that stands there, of the same sources and command, is
 * not made again: what was stopped goes on, and CASE, a regular expression for names, makes a part. STEPS, LONG_STEPS and KILL_EVERY (milliseconds) may be
 * set. Over NATS it needs nats-server; for the two hosts, root and `ip netns`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type PrintedRow, printedResult } from "../../../tools/bench/harness/printed.ts";
import { save } from "../../../tools/bench/harness/result.ts";
import { type Case, casesOf } from "./bits/cases.ts";
import { hashOfRun, stepsOfFleet, sum } from "./runs.ts";

const CASE = new RegExp(process.env.CASE ?? "");
const cases = casesOf({
  steps: Number(process.env.STEPS ?? 3),
  longSteps: Number(process.env.LONG_STEPS ?? 24),
  killEvery: Number(process.env.KILL_EVERY ?? 5000),
});
const root = join(import.meta.dirname, "../../..");
const results = join(root, "bench/results");
const folder = mkdtempSync(join(tmpdir(), "iapo-fleet-bits-"));

interface Row extends PrintedRow {
  readonly unit: "s";
  readonly sha256: string;
  readonly command: string;
  readonly commit: string;
}

/** The commit that last changed a source; "+" where sources differ from it. */
function commitOfSources(): string {
  const sources = [":(glob)packages/*/src/**", "apps/trainer/src"];
  const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  return git("log", "-1", "--format=%H", "--", ...sources) + (git("status", "--porcelain", "--", ...sources) && "+");
}

const commit = commitOfSources();
const commandOf = ({ run }: Case): string => `iapo ${run.join(" ")}`;

function rowsBefore(): Row[] {
  const file = join(results, "fleet-bits.json");
  if (!existsSync(file)) return [];
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as { rows: readonly Row[] };
  return rows.filter((row) => !commit.endsWith("+") && row.commit === commit);
}

async function rowOf(one: Case): Promise<Row> {
  const { name, run, make } = one;
  const directory = join(folder, name.replaceAll(/\W+/g, "-"));
  const [load = 0] = loadavg();
  const { seconds, more } = await make([...run, "--out", directory]);
  const steps = stepsOfFleet(directory);
  const total = (key: "units" | "copies" | "redelivered" | "returned"): number => sum(steps.map((step) => step[key]));
  const row = {
    ...({
      case: name,
      unit: "s",
      ours: Number(seconds.toFixed(1)),
      correct: true,
      sha256: hashOfRun(directory),
    } as const),
    ...{ workers: new Set(steps.flatMap(({ workers }) => Object.keys(workers))).size, units: total("units") },
    ...{ handedOutAgain: total("copies") + total("redelivered"), cameBack: total("returned"), ...more },
    ...{ load: Number(load.toFixed(1)), command: commandOf(one), commit },
  };
  rmSync(directory, { recursive: true });
  return row;
}

/** In the order of the cases, each held against the first of its kind. */
function joined(made: ReadonlyMap<Case, Row>): Row[] {
  const rows = cases.flatMap((one) => {
    const row = made.get(one);
    return row ? [{ of: one.of, row }] : [];
  });
  return rows.map(({ of, row }) => {
    const first = rows.find((other) => other.of === of)?.row;
    return { ...row, correct: row.sha256 === first?.sha256 };
  });
}

const made = new Map<Case, Row>();
for (const row of rowsBefore()) {
  const same = cases.find((one) => one.name === row.case && commandOf(one) === row.command);
  if (same) made.set(same, row);
}
const [before = 0] = loadavg();
try {
  const chosen = cases.filter(({ name }) => CASE.test(name));
  for (const one of cases) {
    const isFirst = cases.find(({ of }) => of === one.of) === one && chosen.some(({ of }) => of === one.of);
    if (made.has(one) || !(isFirst || chosen.includes(one))) continue;
    made.set(one, await rowOf(one));
    const rows = joined(made);
    save(results, printedResult("fleet-bits", commit, before, rows));
    console.error(JSON.stringify(rows.find((row) => row.case === one.name)));
  }
  console.log(JSON.stringify({ name: "fleet-bits", rows: joined(made) }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
