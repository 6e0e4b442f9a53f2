// The arithmetic of a diagnosis: areas against brute force, and cells from made-up block scores whose answer is known.
import { resample } from "@iapo/evaluation/statistics";
import { deriveSeed, randomWords, uniformOf } from "@iapo/tensor-core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { iapoPresets, iapoSettingsSchema } from "../src/config.ts";
import {
  type ChartScores,
  callDivergence,
  type DiagnosedState,
  type DiagnoseGrid,
  type DiagnoseOptions,
  diagnose,
  diagnosisSvg,
  diagnosisTable,
  labelOf,
  pairedAuc,
  pooledAuc,
} from "../src/index.ts";

/** Ties are common. */
const values = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.double({ min: 0, max: 4, noNaN: true })), {
    minLength: length,
    maxLength: length,
  });
const both = fc.integer({ min: 1, max: 20 }).chain((length) => fc.tuple(values(length), values(length)));

function credit(fault: number, right: number): number {
  return fault > right ? 1 : fault === right ? 0.5 : 0;
}

describe("areas under the curve", () => {
  test("as counted pair by pair", () => {
    fc.assert(
      fc.property(both, ([faults, rights]) => {
        const all = faults.flatMap((fault) => rights.map((right) => credit(fault, right)));
        const mean = (credits: readonly number[]) => credits.reduce((sum, one) => sum + one, 0) / credits.length;
        expect(pooledAuc(faults, rights, []).auc).toBeCloseTo(mean(all), 12);
        expect(pairedAuc(faults, rights, []).auc).toBeCloseTo(mean(faults.map((f, i) => credit(f, rights[i]!))), 12);
      }),
    );
  });

  test("a resample is what its charts, written out, give", () => {
    fc.assert(
      fc.property(both, fc.nat(100), ([faults, rights], seed) => {
        const [times] = resample(rights.length, 1, seed);
        const drawn = [...times!].flatMap((count, chart) => new Array<number>(count).fill(chart));
        expect(drawn).toHaveLength(rights.length);
        const of = (from: readonly number[]) => drawn.map((chart) => from[chart]!);
        for (const area of [pairedAuc, pooledAuc]) {
          expect(area(faults, rights, [times!]).low).toBeCloseTo(area(of(faults), of(rights), []).auc, 12);
        }
      }),
    );
  });

  test("symmetric: faults and right calls change places; unmoved by any increasing function", () => {
    fc.assert(
      fc.property(both, ([faults, rights]) => {
        const resamples = resample(rights.length, 50, 3);
        for (const area of [pairedAuc, pooledAuc]) {
          const one = area(faults, rights, resamples);
          const other = area(rights, faults, resamples);
          expect(one.auc + other.auc).toBeCloseTo(1, 12);
          expect(one.low + other.high).toBeCloseTo(1, 12);
          const cubed = (list: readonly number[]) => list.map((value) => 8 * value);
          expect(area(cubed(faults), cubed(rights), resamples)).toEqual(one);
          expect(one.low).toBeLessThanOrEqual(one.high);
          expect(one.low).toBeGreaterThanOrEqual(0);
          expect(one.high).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("the interval holds the truth about 95 times in 100", () => {
    // Faults win with probability 0.7 on each of 40 charts.
    let held = 0;
    const runs = 200;
    for (let run = 0; run < runs; run++) {
      const faults = Array.from(randomWords(40, deriveSeed("faults", run)), (word) => Number(uniformOf(word) < 0.7));
      const rights = faults.map(() => 0.5);
      const { low, high } = pairedAuc(faults, rights, resample(40, 200, run));
      if (low <= 0.7 && 0.7 <= high) held += 1;
    }
    expect(held / runs).toBeGreaterThan(0.9);
    expect(held / runs).toBeLessThan(0.995);
  });
});

const options: DiagnoseOptions = {
  target: "code",
  temperature: 1,
  smoothing: 1e-3,
  divergence: "kl_student_teacher",
  maxPenalty: 5,
  replicates: 200,
  seed: 1,
};
const grid: DiagnoseGrid = {
  methods: [
    { method: "occlusion", baseline: "mean_by_kind" },
    { method: "grad_x_input", tokenReduce: "dot", blockReduce: "mean" },
  ],
  partitions: [{ partition: "per_tool" }],
  normalizers: ["absL1", "relu"],
  comparisons: [
    { compare: "student_with_teacher", teacherTarget: "student_call" },
    { compare: "student_with_teacher", teacherTarget: "teacher_call" },
  ],
  logProb: false,
};
const asItIs = (explained: DiagnosedState["explained"]): DiagnosedState[] => [{ name: "as it is", explained }];

/** Student and teacher agree on right calls; `axis` and `names` say how far they lie apart on faulty ones. */
function chart(i: number, axis: number, names: number, own = true): ChartScores {
  const scores = (shift: number) => Float64Array.of(1 + shift, 2, 3);
  const student = { right: scores(0), other_right: scores(0), wrong_axis: scores(0), wrong_names: scores(0) };
  const jitter = 0.01 + 0.001 * i;
  return {
    student,
    teacher: {
      right: scores(jitter),
      other_right: scores(jitter / 2),
      wrong_axis: scores(axis + jitter),
      wrong_names: scores(names),
      ...(own && { own: scores(2) }),
    },
  };
}

describe("cells", () => {
  const charts = Array.from({ length: 12 }, (_, i) => i);
  /** Occlusion tells both faults apart; gradient x embedding finds wrong names cheaper than right ones. */
  const explained = [[charts.map((i) => chart(i, 0.5, 0.4))], [charts.map((i) => chart(i, 0.5, 0))]];
  const diagnosis = diagnose(asItIs(explained), grid, options);

  test("every combination, with the areas that the scores were made for", () => {
    expect(diagnosis.cells.map(({ settings }) => labelOf(settings))).toEqual([
      "occlusion, student_with_teacher, student_call, per_tool, absL1",
      "occlusion, student_with_teacher, student_call, per_tool, relu",
      "occlusion, student_with_teacher, teacher_call, per_tool, absL1",
      "occlusion, student_with_teacher, teacher_call, per_tool, relu",
      "grad_x_input dot, student_with_teacher, student_call, per_tool, absL1",
      "grad_x_input dot, student_with_teacher, student_call, per_tool, relu",
      "grad_x_input dot, student_with_teacher, teacher_call, per_tool, absL1",
      "grad_x_input dot, student_with_teacher, teacher_call, per_tool, relu",
    ]);
    const [occlusion, , teacherCall, , gradient] = diagnosis.cells;
    expect(occlusion!.faults.wrong_axis.paired).toEqual({ auc: 1, low: 1, high: 1 });
    expect(occlusion!.faults.wrong_names.pooled.auc).toBe(1);
    expect(gradient!.faults.wrong_axis.paired.auc).toBe(1);
    expect(gradient!.faults.wrong_names.paired.auc).toBe(0);
    expect(gradient!.faults.wrong_names.mean).toBe(0);
    // The student's scores are equal for all calls, so against the teacher's own call all cost the same.
    expect(teacherCall!.faults.wrong_axis.paired).toEqual({ auc: 0.5, low: 0.5, high: 0.5 });
  });

  test("D by hand: scores 1 2 3 against 1.01 2 3", () => {
    const p = [1 / 6, 1 / 3, 1 / 2].map((share) => 0.999 * share + 0.001 / 3);
    const q = [1.01 / 6.01, 2 / 6.01, 3 / 6.01].map((share) => 0.999 * share + 0.001 / 3);
    const expected = p.reduce((sum, share, k) => sum + share * Math.log(share / q[k]!), 0);
    const single = diagnose(asItIs([[[chart(0, 0.5, 0.4)]], [[chart(0, 0.5, 0)]]]), grid, options);
    expect(single.cells[0]!.faults.wrong_axis.right).toBeCloseTo(expected, 12);
  });

  test("the cell that tells both apart is recommended, and its settings are a configuration", () => {
    expect(diagnosis.recommended).toBe(0);
    const settings = iapoSettingsSchema.parse(diagnosis.cells[0]!.settings);
    expect(settings).toEqual({
      ...iapoPresets.paper,
      ...{ method: "occlusion", baseline: "mean_by_kind" },
      tokenReduce: undefined,
      blockReduce: undefined,
    });
  });

  test("a fault that is cheaper is warned about; where no cell is certain, none is recommended", () => {
    expect(diagnosis.warnings).toHaveLength(2);
    expect(diagnosis.warnings[0]).toMatch(
      /^grad_x_input dot, student_with_teacher, student_call.*wrong names costs less.*AUC 0\.00/,
    );
    const poor = diagnose(asItIs([[explained[1]![0]!]]), { ...grid, methods: grid.methods.slice(1) }, options);
    expect(poor.recommended).toBeNull();
    expect(poor.warnings.at(-1)).toMatch(/no setting/);
  });

  test("charts without a call of the teacher's own are left out of teacher_call alone", () => {
    const some = charts.map((i) => chart(i, 0.5, 0.4, i < 5));
    const cells = diagnose(asItIs([[some], [some]]), grid, options).cells;
    expect(cells.map((cell) => cell.charts)).toEqual([12, 12, 5, 5, 12, 12, 5, 5]);
    const none = charts.map((i) => chart(i, 0.5, 0.4, false));
    expect(diagnose(asItIs([[none], [none]]), grid, options).cells).toHaveLength(4);
    expect(() => diagnose(asItIs([[[]], [[]]]), grid, options)).toThrow(/at least one chart/);
  });

  test("the worst state of the student decides: a cell that fails in one is not recommended, and the table names it", () => {
    const turned = [[charts.map((i) => chart(i, -0.5, 0.4))], explained[1]!];
    const drifted = diagnose([...asItIs(explained), { name: "biased to rows", explained: turned }], grid, options);
    const [occlusion] = drifted.cells;
    expect(drifted.states).toEqual(["as it is", "biased to rows"]);
    expect(occlusion!.states.map(({ wrong_axis }) => [wrong_axis.state, wrong_axis.paired.auc])).toEqual([
      ["as it is", 1],
      ["biased to rows", expect.closeTo(1, 9)],
    ]);
    // With the roles of the calls changed the fault is the cheaper one.
    const swapped = charts.map((i) => {
      const { student, teacher } = chart(i, 0.5, 0.4);
      return { student, teacher: { ...teacher, right: teacher.wrong_axis!, wrong_axis: teacher.right! } };
    });
    const found = diagnose(
      [...asItIs(explained), { name: "biased to rows", explained: [[swapped], explained[1]!] }],
      grid,
      options,
    );
    expect(found.cells[0]!.faults.wrong_axis).toMatchObject({ state: "biased to rows", paired: { auc: 0 } });
    expect(found.cells[0]!.faults.wrong_names.state).toBe("biased to rows");
    expect(found.recommended).toBeNull();
    expect(found.warnings[0]).toMatch(/^occlusion, student_with_teacher.*: biased to rows, a call with the wrong axis/);
    expect(diagnosisTable(found)).toMatch(/^the student as it is; biased to rows$/m);
    expect(diagnosisTable(found)).toMatch(/^occlusion, .*0\.00 \[0\.00, 0\.00\] +biased to rows/m);
  });

  test("anchored cells and the log-prob read the teacher alone: by hand, and the same in every state", () => {
    const anchored: DiagnoseGrid = {
      ...grid,
      methods: grid.methods.slice(0, 1),
      normalizers: ["absL1"],
      comparisons: [{ compare: "teacher_with_own_call" }, { compare: "teacher_with_best_of_group" }],
      logProb: true,
    };
    const logProbs = { right: -1, other_right: -1.5, wrong_axis: -3, wrong_names: -2 };
    const scored = charts.map((i) => ({ ...chart(i, 0.5, 0.4), logProbs }));
    const biased = scored.map((one) => ({ ...one, student: { ...one.student, right: Float64Array.of(9, 0, 0) } }));
    const states = [...asItIs([[scored]]), { name: "biased", explained: [[biased]] }];
    const found = diagnose(states, anchored, options);
    expect(found.cells.map(({ settings }) => labelOf(settings))).toEqual([
      "occlusion, teacher_with_own_call, per_tool, absL1",
      "occlusion, teacher_with_best_of_group, per_tool, absL1",
      "teacher_log_prob",
    ]);
    const [own, best, logProb] = found.cells;
    for (const { states: both } of found.cells)
      expect({ ...both[1]!.wrong_axis, state: "as it is" }).toEqual(both[0]!.wrong_axis);
    const { teacher } = scored[0]!;
    const single = diagnose(asItIs([[[scored[0]!]]]), anchored, options);
    expect(single.cells[0]!.faults.wrong_axis.mean).toBe(
      callDivergence(teacher.wrong_axis!, teacher.own!, { ...iapoPresets.occlusion }),
    );
    expect(single.cells[1]!.faults.wrong_names.mean).toBe(
      callDivergence(teacher.wrong_names!, teacher.right!, { ...iapoPresets.occlusion }),
    );
    // The best call costs nothing: of the two right ones the other is judged.
    expect(single.cells[1]!.faults.wrong_axis.right).toBe(
      callDivergence(teacher.other_right!, teacher.right!, { ...iapoPresets.occlusion }),
    );
    expect(best!.faults.wrong_axis.right).toBeGreaterThan(0);
    expect([best!.faults.wrong_axis.paired.auc, logProb!.faults.wrong_names.mean]).toEqual([1, 2]);
    expect(own!.charts).toBe(12);
    // The log-prob is a rival to look at, and no setting of this package.
    expect(found.recommended).toBe(1);
    const unscored = diagnose.bind(undefined, asItIs([[[chart(0, 0.5, 0.4)]]]), anchored, options);
    expect(unscored).toThrow(/not scored by the teacher/);
  });

  test("as JSON, table and picture it says the same", () => {
    expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis);
    const table = diagnosisTable(diagnosis).split("\n");
    expect(table[4]).toMatch(
      /^occlusion, student_with_teacher, student_call, per_tool, absL1 .* 1\.00 \[1\.00, 1\.00\] .* \*$/,
    );
    expect(table[8]).toMatch(/^grad_x_input dot, student_with_teacher, student_call.* 0\.00 \[0\.00, 0\.00\].* !$/);
    expect(table).toContain("* recommended: occlusion, student_with_teacher, student_call, per_tool, absL1");
    const picture = diagnosisSvg(diagnosis);
    expect(picture.match(/<rect /g)).toHaveLength(1 + 2 * diagnosis.cells.length);
    expect(picture.match(/>0\.00 !</g)).toHaveLength(2);
    expect(picture.match(/stroke-width="3"/g)).toHaveLength(2);
  });
});
