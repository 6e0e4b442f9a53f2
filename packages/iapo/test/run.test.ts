// Runs of IAPO with real models, tools and traces: evidence, metrics, replay without a GPU, resume to the same bytes.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replayStep, type Step } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { comparedScores, iapoMetrics, type PenaltyEvidence } from "../src/index.ts";
import { fingerprint, iapoRun, optionsOf, type RunOptions, replaying } from "./support/run.ts";

let device: Device;
let root: string;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "iapo-run-"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

const logProbOf = ({ evidence }: Step["log"]["samples"][number]): number => evidence?.call_log_prob?.[0] ?? Number.NaN;

const stepOf = (directory: string, step: number): Promise<Step> =>
  readStep(join(directory, `steps/step-${String(step).padStart(6, "0")}.jsonl`));

const kinds: { name: string; iapo: object; run?: Partial<RunOptions> }[] = [
  { name: "paper", iapo: { preset: "paper" } },
  { name: "occlusion", iapo: { preset: "occlusion" } },
  {
    name: "wide teacher",
    iapo: { preset: "occlusion", normalization: "outcome_std" },
    run: { teacher: { seed: 3, wide: true } },
  },
  { name: "best of group", iapo: { preset: "anchored", tolerance: { kind: "gap", atLeast: 0.01 } } },
  {
    name: "own call",
    iapo: { preset: "anchored", partition: "per_tool", compare: "teacher_with_own_call" },
    run: { teacher: { seed: 3, wide: true } },
  },
];

describe.each(kinds)("$name", ({ name, iapo, run }) => {
  test("two steps leave evidence that replays without a GPU, and metrics that the file gives again", {
    timeout: 120_000,
  }, async () => {
    const directory = join(root, name.replaceAll(" ", "-"));
    const options = optionsOf(iapo);
    const { partition, compare } = options.iapo;
    const sides = compare === "student_with_teacher" ? ["student", "teacher"] : ["call", "reference"];
    await iapoRun(device, options, { directory, steps: 2, ...run });
    let statuses = new Set<string>();
    for (const step of [0, 1]) {
      const written = await stepOf(directory, step);
      const report = await replayStep(written, replaying(options));
      expect([report.difference, report.samples, report.updates]).toEqual([undefined, 6, 1]);
      const { samples, metrics } = written.log;
      for (const [i, { evidence, penalty }] of samples.entries()) {
        const status = written.traces[i]!.toolOutcomes[0]!.status;
        statuses = statuses.add(status);
        const { lambda, divergence } = evidence as PenaltyEvidence;
        expect(penalty).toBe(lambda[0] * divergence[0]);
        const scores = comparedScores(evidence ?? {});
        const blocks = partition === "by_type" ? 4 : 9;
        expect([scores?.call.length, scores?.reference.length, scores?.names]).toEqual(
          status === "no_tool" ? [undefined, undefined, undefined] : [blocks, blocks, sides],
        );
      }
      const calls = samples.filter(({ evidence }) => comparedScores(evidence ?? {}));
      expect(new Set(calls.map(({ penalty }) => penalty)).size).toBeGreaterThan(1);
      expect(metrics).toMatchObject(iapoMetrics(written, step, options.iapo));
      expect(metrics["iapo/penalty/mean"]).toBeGreaterThan(0);
      const masses = ["context", "tool", "image", "query"].map(
        (kind) => metrics[`iapo/block_mass/${kind}/${sides[1]}`]!,
      );
      expect(masses.reduce((sum, mass) => sum + mass)).toBeCloseTo(1, 12);
    }
    // Real tools ran, and there were turns without a call.
    expect(statuses).toEqual(new Set(["ok", "no_tool"]));
  });
});

test("best of group: the reference is the scores of the group's likeliest call, whose D is 0", async () => {
  for (const step of [0, 1]) {
    const { log } = await stepOf(join(root, "best-of-group"), step);
    const calls = log.samples.filter(({ evidence }) => evidence?.call_scores);
    for (const own of Map.groupBy(calls, ({ group }) => group).values()) {
      const [best] = own.toSorted((a, b) => logProbOf(b) - logProbOf(a));
      expect(best?.penalty).toBe(0);
      for (const { evidence } of own) expect(evidence?.reference_scores).toEqual(best?.evidence?.call_scores);
    }
  }
});

test("a score that was changed in the file is found", async () => {
  const options = optionsOf({ preset: "paper" });
  const written = await stepOf(join(root, "paper"), 1);
  const samples = written.log.samples.map((sample) => {
    const scores = sample.evidence?.teacher_scores;
    return scores
      ? { ...sample, evidence: { ...sample.evidence, teacher_scores: [2 * scores[0]!, ...scores.slice(1)] } }
      : sample;
  });
  const { difference } = await replayStep({ ...written, log: { ...written.log, samples } }, replaying(options));
  expect(difference?.what).toBe("penalty");
});

const resumed =
  "cold start, then the teacher's own calls from disk; stopped after 2 of 4 steps and resumed: the same bytes";
test(resumed, { timeout: 180_000 }, async () => {
  const own = { method: "grad_norm", teacherTarget: "teacher_call", noCallPenalty: "group_max", normalization: "none" };
  const options = { ...optionsOf({ ...own, coldStartSteps: 1 }), groups: 1 };
  const cache = join(root, "calls");
  const [whole, parted] = [join(root, "whole"), join(root, "parted")];
  await iapoRun(device, options, { directory: whole, steps: 4, cache });
  await iapoRun(device, options, { directory: parted, steps: 2, cache });
  await iapoRun(device, options, { directory: parted, steps: 4, cache, resume: true });
  expect(await fingerprint(parted)).toEqual(await fingerprint(whole));
  const steps = await Promise.all([0, 1, 2, 3].map((step) => stepOf(whole, step)));
  for (const step of steps) expect((await replayStep(step, replaying(options))).difference).toBeUndefined();
  const [cold, warm] = steps.map(({ log }) => log);
  expect(cold!.samples.every(({ evidence, penalty }) => !evidence && penalty === 0)).toBe(true);
  expect([cold!.metrics["iapo/lambda"], cold!.metrics["iapo/penalty/mean"]]).toEqual([0, undefined]);
  expect(warm!.metrics["iapo/lambda"]).toBe(0.1);
  expect(warm!.samples.every(({ evidence }) => evidence?.lambda?.[0] === 0.1)).toBe(true);
  // A response without a call costs as much as its group's dearest one.
  for (const samples of Map.groupBy(warm!.samples, ({ group }) => group).values()) {
    const dearest = samples.map(({ penalty }) => penalty).reduce((most, value) => Math.max(most, value));
    const silent = samples.filter(({ evidence }) => !evidence?.student_scores);
    expect(silent.every(({ penalty }) => penalty === dearest)).toBe(true);
  }
});

test("under joint, a run in which most groups have equal outcomes is warned once", async () => {
  const warnings: string[] = [];
  const options = {
    ...optionsOf({ preset: "paper" }),
    rollout: { samples: 1, sampling: { temperature: 1 }, maxTokens: 8 },
  };
  const onWarning = (message: string): void => void warnings.push(message);
  await iapoRun(device, options, { directory: join(root, "equal"), steps: 2, onWarning });
  expect(warnings).toEqual([expect.stringMatching(/^step 0: 100 % of the groups .* lambda cancels/)]);
});
