// Diagnosis and case study of real models on the GPU: random weights, a few charts.
import { attributeTokens } from "@iapo/attribution";
import { rollout } from "@iapo/grpo";
import type { Environment } from "@iapo/rollout-trace";
import { type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoCharts, toolProgram } from "@iapo/vqa-tasks/nano";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { iapoPresets } from "../src/config.ts";
import {
  type CaseStudyOptions,
  callDivergence,
  caseStudy,
  caseStudyMetrics,
  type DiagnoseChart,
  type DiagnoseGrid,
  type DiagnoseOptions,
  diagnose,
  explainCharts,
  findCall,
  promptUnits,
  scoreCalls,
} from "../src/index.ts";
import { chartPrompt, environment, type Nano, nanoModel, turnsOf } from "./support/models.ts";

const toolGroups = {
  columns: ["mask", "draw", "highlight"].map((effect) => `focus_on_columns_with_${effect}`),
  rows: ["mask", "draw", "highlight"].map((effect) => `focus_on_rows_with_${effect}`),
};
const grid: DiagnoseGrid = {
  methods: [
    { method: "occlusion", baseline: "mean_by_kind" },
    { method: "grad_x_input", tokenReduce: "l2", blockReduce: "mean" },
  ],
  partitions: [{ partition: "per_tool" }, { partition: "tool_groups", toolGroups }],
  normalizers: ["absL1"],
  comparisons: [
    { compare: "student_with_teacher", teacherTarget: "student_call" },
    { compare: "student_with_teacher", teacherTarget: "teacher_call" },
  ],
  logProb: false,
};
const options: DiagnoseOptions = {
  target: "code",
  temperature: 1,
  smoothing: 1e-3,
  divergence: "kl_student_teacher",
  maxPenalty: 5,
  replicates: 100,
  seed: 1,
};

let device: Device;
let charts: NanoCharts;
let student: Nano;
let teacher: Nano;
beforeAll(async () => {
  device = await openDevice();
  device.warn = () => {};
  charts = await createNanoCharts({ seed: 5, names: "words" });
  student = await nanoModel(device, { seed: 1 });
  teacher = await nanoModel(device, { seed: 2 });
});
afterAll(() => {
  for (const { policy } of [student, teacher]) policy.model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

/** The three forced calls on a chart, and one that stands for the teacher's own. */
async function chartOf(index: number): Promise<DiagnoseChart> {
  const { task, bars, question } = await charts.chart("validation", index);
  const axis = task.content.orientation!;
  const others = bars.map(({ name }) => name).filter((name) => !question.names.includes(name));
  const texts = [
    toolProgram(axis, "mask", question.names),
    toolProgram(axis === "columns" ? "rows" : "columns", "mask", question.names),
    toolProgram(axis, "mask", others.slice(0, question.names.length)),
    toolProgram(axis, "draw", question.names),
    toolProgram(axis, "highlight", question.names),
  ];
  const [right, wrong_axis, wrong_names, own, other_right] = turnsOf(student, task, texts).map((turn) => ({
    turns: [turn],
  }));
  const calls = { right: right!, other_right: other_right!, wrong_axis: wrong_axis!, wrong_names: wrong_names! };
  return { id: task.id, blocks: chartPrompt(task), calls, teacherCall: own! };
}

describe("diagnosis", { timeout: 120_000 }, () => {
  test("its penalties are those of a run, for every cell", async () => {
    const all = [await chartOf(0), await chartOf(1)];
    const seen: number[] = [];
    const models = { student: student.model, teacher: teacher.model };
    const explained = await explainCharts(models, all, grid, { target: "code", onChart: (done) => seen.push(done) });
    const { cells } = diagnose([{ name: "as it is", explained }], grid, options);
    expect(seen).toEqual([1, 2]);
    expect(cells).toHaveLength(8);
    const chart = all[1]!;
    const turns = [chart.calls.right, chart.calls.wrong_names, chart.teacherCall!].map(({ turns: [turn] }) => turn!);
    const calls = turns.map((turn) => findCall(turn, "code", student.model)!);
    const units = promptUnits(chart.blocks, turns[0]!, { kind: "tool_groups", groups: toolGroups });
    for (const [m, method] of (
      [{ kind: "occlusion" }, { kind: "grad_x_input", tokenReduce: "l2" }] as const
    ).entries()) {
      const byStudent = await scoreCalls(student.model, calls, units, method);
      const byTeacher = await scoreCalls(teacher.model, calls, units, method);
      const found = explained[m]![1]![1]!;
      expect(found.student.right).toEqual(byStudent[0]!.blockScores);
      expect(found.student.wrong_names).toEqual(byStudent[1]!.blockScores);
      expect(found.teacher.wrong_names).toEqual(byTeacher[1]!.blockScores);
      expect(found.teacher.own).toEqual(byTeacher[2]!.blockScores);
    }
    // The mean over both charts, through the penalty of a run.
    const penalty = { ...iapoPresets.paper, normalize: "absL1" } as const;
    const mean = [0, 1].reduce((sum, i) => {
      const { student: own, teacher: other } = explained[1]![0]![i]!;
      return sum + callDivergence(own.wrong_axis, other.wrong_axis!, penalty) / 2;
    }, 0);
    const cell = cells.find(({ settings }) => "method" in settings && settings.method === "grad_x_input")!;
    expect(cell.faults.wrong_axis.mean).toBeCloseTo(mean, 12);
    expect(mean).toBeGreaterThan(0);
  });

  test("a teacher equal to the student says nothing about its own calls: D 0, all areas at chance, no recommendation", async () => {
    const models = { student: student.model, teacher: student.model };
    const target: DiagnoseGrid = { ...grid, methods: grid.methods.slice(1), comparisons: grid.comparisons.slice(0, 1) };
    const explained = await explainCharts(models, [await chartOf(2)], target, { target: "code" });
    const found = diagnose([{ name: "as it is", explained }], target, options);
    for (const { faults } of found.cells) {
      for (const { right, mean, paired, pooled } of Object.values(faults)) {
        expect([right, mean, paired.auc, pooled.auc]).toEqual([0, 0, 0.5, 0.5]);
      }
    }
    expect(found.recommended).toBeNull();
  });

  test("a forced call without a program is an error that names chart and call; a signal stops it", async () => {
    const chart = await chartOf(0);
    const { task } = await charts.chart("validation", 0);
    const [spoken] = turnsOf(student, task, ["no program"]);
    const broken = { ...chart, calls: { ...chart.calls, wrong_axis: { turns: [spoken!] } } };
    const models = { student: student.model, teacher: teacher.model };
    await expect(explainCharts(models, [broken], grid, { target: "code" })).rejects.toThrow(/: the wrong_axis call/);
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(explainCharts(models, [chart], grid, { target: "code", signal })).rejects.toThrow("stopped");
  });
});

describe("case study", { timeout: 120_000 }, () => {
  const study: CaseStudyOptions = {
    seed: 4,
    charts: 2,
    rollout: { samples: 2, sampling: { temperature: 1 }, maxTokens: 6 },
    target: "turn1",
    methods: [
      {
        method: "ig",
        tokenReduce: "dot",
        blockReduce: "sum",
        baseline: "mean_by_kind",
        quadrature: "midpoint",
        steps: 2,
      },
      { method: "occlusion", baseline: "mean_by_kind" },
    ],
    tools: toolGroups,
  };
  const tasks = { length: 2, task: async (index: number) => (await charts.chart("validation", index)).task };

  /** An untrained model writes no program: it is read as if its even samples had called a tool of the wrong axis, with the asked name. */
  const misusing: Environment<VisualContent> = {
    ...environment,
    async step(task, turn, earlier) {
      const wrong = task.content.orientation === "columns" ? "rows" : "columns";
      const [box] = task.content.orientation === "columns" ? task.content.columns : task.content.rows;
      if (earlier.length > 0) return environment.step(task, turn, earlier);
      const text = turn.text.length % 2 === 0 ? toolProgram(wrong, "mask", [box!.name]) : turn.text;
      const result = await environment.step(task, { text: `${text} ` }, earlier);
      return result;
    },
  };

  test("counts, rewards and mean scores of definitions, the same each time", async () => {
    const { policy, model } = student;
    const parts = { policy, model, environment, tasks };
    const found = await caseStudy(parts, study);
    expect(found.responses).toBe(4);
    expect(found.definitions.map(({ calls }) => calls)).toEqual([4, 4]);
    expect(found.misuse).toBe(0);
    expect(found.rewards.tool_call).toBeCloseTo(found.calls / 4, 12);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    expect(await caseStudy(parts, study)).toEqual(found);
    const metrics = caseStudyMetrics(found);
    expect(metrics["case_study/misuse"]).toBe(0);
    expect(metrics["case_study/ig_dot_2_steps_sum/right"]).toBe(found.definitions[0]!.right!.mean);
    expect(found.definitions[0]!.convergence).toBeGreaterThanOrEqual(0);
    expect(found.definitions[1]!.convergence).toBeNull();
    for (const { rightShare, misusedShare } of found.definitions) {
      expect(rightShare!.mean).toBeGreaterThan(0);
      expect(rightShare!.mean + misusedShare!.mean).toBeLessThan(1);
    }
  });

  test("as taken token by token from the definitions of the task's own axis", async () => {
    const { policy, model } = student;
    const one = { ...study, rollout: { ...study.rollout, samples: 1 } };
    const seed = (...at: number[]) => deriveSeed(study.seed, "case_study", ...at);
    const axes = new Set<string>();
    for (let chart = 0; chart < tasks.length; chart++) {
      const task = await tasks.task(chart);
      const source = { length: 1, task: () => task };
      const { definitions } = await caseStudy({ policy, model, environment, tasks: source }, one);
      const { groups } = await rollout(policy, environment, [task], one.rollout, { step: 0, seed });
      const { blocks, turns } = groups[0]![0]!;
      const [turn] = turns;
      const call = { turn: turn!, targets: turn!.lossMask };
      const method = { kind: "ig", quadrature: "midpoint", steps: 2 } as const;
      const [scored] = await attributeTokens(model, [call], method);
      const meanOver = (axis: string): number => {
        const chosen = scored!.tokenScores.filter((_, token) => {
          const block = blocks[turn!.blocks[token]!];
          return block?.kind === "tool" && block.tool?.startsWith(`focus_on_${axis}`);
        });
        return chosen.reduce((sum, score) => sum + score, 0) / chosen.length;
      };
      const axis = task.content.orientation!;
      axes.add(axis);
      expect(definitions[0]!.right!.mean).toBeCloseTo(meanOver(axis), 12);
      expect(definitions[0]!.misused!.mean).toBeCloseTo(meanOver(axis === "columns" ? "rows" : "columns"), 12);
    }
    expect(axes.size).toBe(2);
  });

  test("calls of the wrong axis are counted", async () => {
    const { policy, model } = student;
    const found = await caseStudy({ policy, model, environment: misusing, tasks }, { ...study, methods: [] });
    expect(found.misuse).toBe(found.rewards.tool_misuse! * found.responses);
    expect(found.misuse).toBeGreaterThan(0);
  });

  test("no call, no score; tools that the prompt does not define, and tables, are errors", async () => {
    const { policy, model } = student;
    const parts = { policy, model, environment, tasks };
    const none = await caseStudy(parts, { ...study, target: "code", charts: 1 });
    expect(none.definitions[0]).toMatchObject({ calls: 0, right: null, misused: null });
    expect(caseStudyMetrics(none)).not.toHaveProperty("case_study/ig_dot_2_steps_sum/right");
    const missing = { ...study, charts: 1, tools: { columns: ["zoom"], rows: ["pan"] } };
    await expect(caseStudy(parts, missing)).rejects.toThrow(/defines no tool:/);
    const chart = await tasks.task(0);
    const tables = { length: 1, task: () => ({ ...chart, content: { ...chart.content, orientation: undefined } }) };
    await expect(caseStudy({ ...parts, tasks: tables }, study)).rejects.toThrow(/no orientation/);
  });
});
