// The plain math against the oracle, and properties. The oracle is float64; its z-scores have an epsilon of 1e-12 in the deviation.
import type { ImageRef, PromptBlock } from "@iapo/rollout-trace";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import {
  AttributionError,
  blockScores,
  type Divergence,
  distribution,
  divergence,
  type Normalizer,
  normalizedArea,
  partition,
  type QuadratureKind,
  quadrature,
  replacedUnits,
  tokenScores,
} from "../src/math/index.ts";
import {
  type GoldenTensors,
  golden,
  goldenPartition,
  inBlockOrder,
  largestDifference,
  loadTensors,
} from "./support/golden.ts";

let tensors: GoldenTensors;
beforeAll(async () => {
  tensors = await loadTensors();
});

const models = ["student", "teacher"] as const;
const reduces = ["dot", "l1", "l2"] as const;
const divergences = ["kl_student_teacher", "kl_teacher_student", "js", "tv", "l2"] as const;
const normalizers = ["absL1", "relu", "softmax", "softmax_z"] as const;

test.each(models)("%s: token and block scores", (model) => {
  const gradient = tensors(`${model}.gradient`);
  const width = gradient.shape[1]!;
  const embeddings = tensors(`${model}.embeddings`).values.subarray(0, gradient.values.length);
  for (const reduce of reduces) {
    const scores = tokenScores(gradient.values, embeddings, width, reduce);
    expect(largestDifference(scores, tensors(`${model}.score.${reduce}`).values)).toBeLessThan(1e-13);
    const { block_sum, block_mean } = golden.models[model];
    const [sum, mean] = [block_sum, block_mean].map((values) => inBlockOrder(values[reduce]));
    expect(largestDifference(blockScores(scores, goldenPartition, "sum"), sum!)).toBeLessThan(1e-12);
    expect(largestDifference(blockScores(scores, goldenPartition, "mean"), mean!)).toBeLessThan(1e-12);
    if (reduce !== "dot") continue;
    const { block_abs_sum_dot, block_abs_mean_dot } = golden.models[model];
    const absolute = [blockScores(scores, goldenPartition, "absSum"), blockScores(scores, goldenPartition, "absMean")];
    expect(largestDifference(absolute[0]!, inBlockOrder(block_abs_sum_dot))).toBeLessThan(1e-12);
    expect(largestDifference(absolute[1]!, inBlockOrder(block_abs_mean_dot))).toBeLessThan(1e-12);
  }
  const norms = tokenScores(gradient.values, undefined, width, "l2");
  expect(largestDifference(norms, tensors(`${model}.score.grad_norm`).values)).toBeLessThan(1e-13);
});

const cells = Object.keys(golden.distributions).filter((name) => name.includes("."));
test.each(cells)("distributions and divergences: %s", (cell) => {
  const [source, reduced, named] = cell.split(".");
  const normalizer = (named ?? reduced) as Normalizer;
  const expected = golden.distributions[cell]!;
  const [student, teacher] = models.map((model) => {
    const { block_sum, block_mean, occlusion } = golden.models[model];
    const scores = named
      ? (reduced === "block_sum" ? block_sum : block_mean)[source as "dot" | "l1" | "l2"]
      : occlusion.mean!;
    return distribution(inBlockOrder(scores), { normalizer });
  });
  expect(largestDifference(student!, expected.student)).toBeLessThan(1e-10);
  expect(largestDifference(teacher!, expected.teacher)).toBeLessThan(1e-10);
  for (const kind of ["kl_student_teacher", "kl_teacher_student", "js", "tv"] as const) {
    const value = expected[kind];
    if (value !== undefined) expect(Math.abs(divergence(kind, student!, teacher!) - value)).toBeLessThan(1e-10);
  }
});

const someScores = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 12 });

test("a distribution sums to 1, and none of its entries is below a / K", () => {
  fc.assert(
    fc.property(someScores, fc.constantFrom(...normalizers), (scores, normalizer) => {
      const p = distribution(scores, { normalizer });
      expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
      expect(Math.min(...p)).toBeGreaterThanOrEqual((1e-3 / scores.length) * (1 - 1e-12));
    }),
  );
});

test("scaling all scores changes nothing under absL1", () => {
  fc.assert(
    fc.property(someScores, fc.double({ min: 1e-9, max: 1e9, noNaN: true }), (scores, factor) => {
      fc.pre(Math.max(...scores.map(Math.abs)) > 1e-200);
      const scaled = scores.map((score) => score * factor);
      expect(largestDifference(distribution(scaled), distribution(scores))).toBeLessThan(1e-12);
    }),
  );
});

test("every divergence is 0 between equals, symmetric where it says so, and within its bound", () => {
  const pairs = fc
    .integer({ min: 1, max: 10 })
    .chain((count) =>
      fc.tuple(
        ...[0, 1].map(() =>
          fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: count, maxLength: count }),
        ),
      ),
    );
  fc.assert(
    fc.property(pairs, ([one, other]) => {
      const [p, q] = [distribution(one!), distribution(other!)];
      for (const kind of divergences) {
        expect(divergence(kind, p, p)).toBe(0);
        expect(divergence(kind, p, q)).toBeGreaterThanOrEqual(0);
      }
      const bounds: [Divergence, number][] = [
        ["kl_student_teacher", Math.log(p.length / 1e-3)],
        ["js", Math.LN2],
        ["tv", 1],
        ["l2", Math.SQRT2],
      ];
      for (const [kind, bound] of bounds) expect(divergence(kind, p, q)).toBeLessThanOrEqual(bound + 1e-12);
      expect(divergence("kl_student_teacher", p, q)).toBe(divergence("kl_teacher_student", q, p));
      for (const kind of ["js", "tv", "l2"] as const) {
        expect(divergence(kind, p, q)).toBeCloseTo(divergence(kind, q, p), 12);
      }
    }),
  );
});

test("without smoothing a KL to a distribution with a hole is infinite, and relu of nothing positive is uniform", () => {
  const p = distribution([1, 1], { normalizer: "relu", smoothing: 0 });
  const q = distribution([1, -1], { normalizer: "relu", smoothing: 0 });
  expect(divergence("kl_student_teacher", p, q)).toBe(Number.POSITIVE_INFINITY);
  expect(divergence("kl_teacher_student", p, q)).toBeCloseTo(Math.LN2, 12);
  expect([...distribution([-1, -2, 0, -3], { normalizer: "relu" })]).toEqual([0.25, 0.25, 0.25, 0.25]);
});

test.each(["gauss_legendre", "midpoint", "trapezoid"] as QuadratureKind[])("%s: weights sum to 1", (kind) => {
  for (const steps of [2, 3, 20, 33, 200, 1024]) {
    const { nodes, weights } = quadrature(kind, steps);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect([...nodes]).toEqual([...nodes].sort((a, b) => a - b));
    expect(nodes.every((node, k) => Math.abs(node + nodes[steps - 1 - k]! - 1) < 1e-14)).toBe(true);
  }
});

test("n Gauss-Legendre steps integrate polynomials of degree 2n - 1 exactly, and of degree 2n not", () => {
  for (let steps = 1; steps <= 8; steps++) {
    const { nodes, weights } = quadrature("gauss_legendre", steps);
    const integral = (degree: number) => nodes.reduce((sum, node, k) => sum + weights[k]! * node ** degree, 0);
    for (let degree = 0; degree < 2 * steps; degree++) expect(integral(degree)).toBeCloseTo(1 / (degree + 1), 14);
    expect(Math.abs(integral(2 * steps) - 1 / (2 * steps + 1))).toBeGreaterThan(1e-12);
  }
});

const text = (kind: "context" | "query" | "tool", id: string, tool?: string): PromptBlock<ImageRef> => ({
  id,
  kind,
  ...(tool !== undefined && { tool }),
  text: `${id}\n`,
});
const blocks: PromptBlock<ImageRef>[] = [
  text("context", "head"),
  { id: "picture", kind: "image", image: { id: "0".repeat(64), width: 1, height: 1, channels: 3 } },
  text("query", "question"),
  text("tool", "t1", "focus_columns"),
  text("tool", "t2", "focus_rows"),
  text("tool", "t3", "draw_columns"),
  text("context", "tail"),
];
const blockOfToken = [-1, 0, 0, 1, 1, 2, 3, 4, 5, 6, -1];

test("partitions", () => {
  const unitsOf = (options: Parameters<typeof partition>[2]) => {
    const { names, unitOfToken } = partition(blocks, blockOfToken, options);
    return Array.from(unitOfToken, (unit) => names[unit] ?? "-").join(" ");
  };
  expect(unitsOf({ kind: "per_tool" })).toBe(
    "- context context image image query tool:focus_columns tool:focus_rows tool:draw_columns context -",
  );
  expect(unitsOf({ kind: "by_type" })).toBe("- context context image image query tool tool tool context -");
  const groups = { columns: ["focus_columns", "draw_columns"], rows: ["focus_rows"] };
  expect(unitsOf({ kind: "tool_groups", groups })).toBe(
    "- context context image image query tool:columns tool:rows tool:columns context -",
  );
  expect(unitsOf({ kind: "contiguous" })).toBe(
    "- context context image image query tool:focus_columns tool:focus_rows tool:draw_columns context.2 -",
  );
});

test("a partition does not depend on which blocks got tokens", () => {
  const { names } = partition(blocks, blockOfToken);
  expect(partition(blocks, [0, 2, -1]).names).toEqual(names);
  expect([...blockScores([1, 5, 9], partition(blocks, [0, 2, -1]), "mean")]).toEqual([1, 0, 5, 0, 0, 0]);
});

test("curves", () => {
  const scores = [0.1, 3, -2];
  expect(replacedUnits("deletion", scores)).toEqual([[], [1], [1, 0], [1, 0, 2]]);
  expect(replacedUnits("insertion", scores)).toEqual([[1, 0, 2], [0, 2], [2], []]);
  expect(normalizedArea([-1, -2, -3], -1, -3)).toBeCloseTo(0.5, 14); // a straight line
  expect(normalizedArea([-1, -3, -3, -3, -3], -1, -3)).toBeCloseTo(1 / 8, 14); // all at once
});

test.each([
  ["scores that are not finite", () => distribution([1, Number.NaN])],
  ["no scores", () => distribution([])],
  ["a temperature of 0", () => distribution([1], { normalizer: "softmax", temperature: 0 })],
  ["different numbers of blocks", () => divergence("tv", [1], [0.5, 0.5])],
  ["no steps", () => quadrature("midpoint", 0)],
  ["one step of the trapezoid", () => quadrature("trapezoid", 1)],
  ["a token of a block that is not there", () => partition(blocks, [9])],
  ["a tool in two groups", () => partition(blocks, [], { kind: "tool_groups", groups: { a: ["x"], b: ["x"] } })],
  ["scores that do not fit the partition", () => blockScores([1], partition(blocks, [0, 0]), "sum")],
  ["arrays that are not rows", () => tokenScores([1, 2, 3], undefined, 2, "l2")],
])("refuses %s", (_, call) => {
  expect(call).toThrow(AttributionError);
});

test("signed masses: a sign is a place of its own; both halves together are the unsigned masses", () => {
  expect([...distribution([3, -1], { normalizer: "signedL1", smoothing: 0 })]).toEqual([0.75, 0, 0, 0.25]);
  expect([...distribution([0, 0], { normalizer: "signedL1" })]).toEqual([0.25, 0.25, 0.25, 0.25]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 9 }), (scores) => {
      const [signed, plain] = (["signedL1", "absL1"] as const).map((normalizer) =>
        distribution(scores, { normalizer }),
      );
      expect(signed!.reduce((sum, mass) => sum + mass, 0)).toBeCloseTo(1, 12);
      for (const [k, mass] of plain!.entries()) expect(signed![k]! + signed![k + scores.length]!).toBeCloseTo(mass, 12);
    }),
  );
  const kl = (a: number[], b: number[]) =>
    divergence(
      "kl_student_teacher",
      ...([a, b].map((s) => distribution(s, { normalizer: "signedL1" })) as [never, never]),
    );
  expect(kl([3, -1], [3, -1])).toBe(0);
  expect(kl([3, -1], [-3, -1])).toBeGreaterThan(4);
});
