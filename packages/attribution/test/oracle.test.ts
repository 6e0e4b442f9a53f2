// Attributions on the GPU against PyTorch and Captum in float64.
import type { PromptGroup } from "@iapo/qwen-vl-model";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  attributeBlocks,
  attributeTokens,
  distribution,
  divergence,
  type IntegratedGradients,
  type TokenMethod,
} from "../src/index.ts";
import {
  type GoldenTensors,
  golden,
  goldenPartition,
  inBlockOrder,
  largestDifference,
  loadTensors,
  sumOfAbsolutes,
} from "./support/golden.ts";
import { goldenGroup, loadGoldenModel } from "./support/nano.ts";

let device: Device;
let model: Awaited<ReturnType<typeof loadGoldenModel>>;
let tensors: GoldenTensors;
let group: PromptGroup;
const warnings: string[] = [];

beforeAll(async () => {
  device = await openDevice();
  device.warn = (message) => warnings.push(message);
  model = await loadGoldenModel(device, "student");
  tensors = await loadTensors();
  ({ group } = goldenGroup(tensors, "student"));
});
afterAll(() => {
  model.model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

const { student } = golden.models;

test.each([
  [{ kind: "grad_x_input" }, "score.dot"],
  [{ kind: "grad_x_input", tokenReduce: "l1" }, "score.l1"],
  [{ kind: "grad_x_input", tokenReduce: "l2" }, "score.l2"],
  [{ kind: "grad_norm" }, "score.grad_norm"],
] as const satisfies readonly (readonly [TokenMethod, string])[])("%o", async (method, name) => {
  const [result] = await attributeTokens(model, group, method);
  const expected = tensors(`student.${name}`).values;
  const largest = Math.max(...expected.map(Math.abs));
  expect(largestDifference(result!.tokenScores, expected) / largest).toBeLessThan(1e-5);
  expect(Math.abs(result!.targetLogProb - student.S)).toBeLessThan(1e-4);
});

test("block scores and the distributions that come of them", async () => {
  const unit = sumOfAbsolutes(tensors("student.score.dot").values);
  for (const [blockReduce, values] of [
    ["sum", student.block_sum.dot],
    ["mean", student.block_mean.dot],
    ["absSum", student.block_abs_sum_dot],
    ["absMean", student.block_abs_mean_dot],
  ] as const) {
    const [result] = await attributeBlocks(model, group, goldenPartition, { kind: "grad_x_input", blockReduce });
    expect(largestDifference(result!.blockScores, inBlockOrder(values)) / unit).toBeLessThan(1e-5);
    if (blockReduce !== "sum" && blockReduce !== "mean") continue;
    for (const normalizer of ["absL1", "relu", "softmax", "softmax_z"] as const) {
      const expected = golden.distributions[`dot.block_${blockReduce}.${normalizer}`]!;
      const p = distribution(result!.blockScores, { normalizer });
      expect(largestDifference(p, expected.student)).toBeLessThan(1e-5);
      const kl = divergence("kl_student_teacher", p, expected.teacher);
      expect(Math.abs(kl - expected.kl_student_teacher)).toBeLessThan(1e-5);
    }
  }
});

test("one response per target token gives the matrix of target token by prompt token", async () => {
  const [response] = group.responses;
  const wanted = [...response!.targets.keys()].filter((i) => response!.targets[i] === 1);
  const responses = wanted.map((place) => ({
    ...response!,
    targets: response!.targets.map((_, i) => Number(i === place)),
  }));
  const results = await attributeTokens(model, { ...group, responses }, { kind: "grad_x_input" });
  const expected = tensors("student.token_matrix").values;
  const matrix = results.flatMap(({ tokenScores }) => [...tokenScores]);
  expect(largestDifference(matrix, expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-5);
  const logProbs = results.map(({ targetLogProb }) => targetLogProb);
  expect(largestDifference(logProbs, tensors("student.target_logps").values)).toBeLessThan(2e-5);
});

const rules = { gausslegendre: "gauss_legendre", riemann_middle: "midpoint", riemann_trapezoid: "trapezoid" } as const;
const paths = Object.keys(student.ig).filter((name) => {
  const [baseline, rule, steps] = name.split(".");
  const long = Number(steps) > 50 && process.env.IAPO_FULL !== "1";
  return baseline !== "zero" && rule! in rules && !long;
});

test.each(paths)("integrated gradients: %s", async (name) => {
  const [baseline, rule, steps] = name.split(".") as [IntegratedGradients["baseline"], keyof typeof rules, string];
  warnings.length = 0;
  const method = { kind: "ig", baseline: baseline!, quadrature: rules[rule], steps: Number(steps) } as const;
  const [result] = await attributeTokens(model, group, method);
  // Captum's trapezoid weights sum to (n - 1) / n.
  const correction = rule === "riemann_trapezoid" ? method.steps / (method.steps - 1) : 1;
  const expected = tensors(`student.ig.${name}`).values.map((value) => value * correction);
  expect(largestDifference(result!.tokenScores, expected) / sumOfAbsolutes(expected)).toBeLessThan(1e-4);
  const { F_minus_baseline: change } = student.ig[name]!;
  const delta = expected.reduce((sum, value) => sum + value, 0) - change;
  expect(Math.abs(result!.convergence!.delta - delta)).toBeLessThan(1e-3);
  expect(result!.convergence!.relative).toBeCloseTo(Math.abs(result!.convergence!.delta / change), 3);
  expect(warnings).toHaveLength(result!.convergence!.relative > 0.05 ? 1 : 0);
});

test("integrated gradients do not depend on how many steps are packed", async () => {
  const method = { kind: "ig", steps: 7, baseline: "mean" } as const;
  const [alone] = await attributeTokens(model, group, { ...method, stepsPerPass: 1 });
  const [packed] = await attributeTokens(model, group, { ...method, stepsPerPass: 3 });
  const unit = sumOfAbsolutes(alone!.tokenScores);
  expect(largestDifference(packed!.tokenScores, alone!.tokenScores) / unit).toBeLessThan(1e-6);
  expect(packed!.targetLogProb).toBe(alone!.targetLogProb);
});

test("a zero baseline is warned about", async () => {
  warnings.length = 0;
  await attributeTokens(model, group, { kind: "ig", baseline: "zero", steps: 4 });
  expect(warnings[0]).toContain("zero baseline");
});

test.each(Object.keys(student.occlusion).map((name) => name as "mean"))("occlusion by %s", async (baseline) => {
  const [result] = await attributeBlocks(model, group, goldenPartition, { kind: "occlusion", baseline });
  const expected = inBlockOrder(student.occlusion[baseline]!);
  expect(largestDifference(result!.blockScores, expected)).toBeLessThan(1e-4);
  expect(Math.abs(result!.targetLogProb - student.S)).toBeLessThan(1e-4);
});

// Other widths, other weights: what is compared with the student's.
test("the teacher on the student's call", async () => {
  const teacher = await loadGoldenModel(device, "teacher");
  const { group: input } = goldenGroup(tensors, "teacher");
  const expected = golden.models.teacher;
  for (const tokenReduce of ["dot", "l1", "l2"] as const) {
    const [result] = await attributeTokens(teacher, input, { kind: "grad_x_input", tokenReduce });
    const scores = tensors(`teacher.score.${tokenReduce}`).values;
    expect(largestDifference(result!.tokenScores, scores) / sumOfAbsolutes(scores)).toBeLessThan(1e-5);
    expect(Math.abs(result!.targetLogProb - expected.S)).toBeLessThan(1e-4);
  }
  const [integrated] = await attributeTokens(teacher, input, { kind: "ig", baseline: "mean", steps: 20 });
  const path = tensors("teacher.ig.mean.gausslegendre.20").values;
  expect(largestDifference(integrated!.tokenScores, path) / sumOfAbsolutes(path)).toBeLessThan(1e-4);
  for (const baseline of ["mean", "pad", "mean_by_kind"] as const) {
    const [result] = await attributeBlocks(teacher, input, goldenPartition, { kind: "occlusion", baseline });
    expect(largestDifference(result!.blockScores, inBlockOrder(expected.occlusion[baseline]!))).toBeLessThan(1e-4);
  }
  teacher.model.dispose();
});

test("student and teacher: distributions and divergences, both from the device", async () => {
  const teacher = await loadGoldenModel(device, "teacher");
  const { group: input } = goldenGroup(tensors, "teacher");
  const method = { kind: "grad_x_input", blockReduce: "mean" } as const;
  const [[own], [other]] = [
    await attributeBlocks(model, group, goldenPartition, method),
    await attributeBlocks(teacher, input, goldenPartition, method),
  ];
  const expected = golden.distributions["dot.block_mean.absL1"]!;
  const [p, q] = [distribution(own!.blockScores), distribution(other!.blockScores)];
  expect(largestDifference(p, expected.student)).toBeLessThan(2e-6);
  expect(largestDifference(q, expected.teacher)).toBeLessThan(2e-6);
  for (const kind of ["kl_student_teacher", "js", "tv"] as const) {
    expect(Math.abs(divergence(kind, p, q) - expected[kind]!)).toBeLessThan(1e-5);
  }
  // The student has a block of 0.001 where the teacher has 0.15: what p is off by, KL(teacher || student) sees times q / p.
  const magnified = q.reduce((sum, share, k) => sum + share / p[k]!, 0);
  const difference = divergence("kl_teacher_student", p, q) - expected.kl_teacher_student;
  expect(Math.abs(difference)).toBeLessThan(2e-6 * magnified);
  teacher.model.dispose();
});
