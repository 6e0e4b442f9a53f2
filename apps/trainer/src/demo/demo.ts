// iapo demo, the main job in one command: measure a student on held-out tasks, train it by IAPO beside a teacher, measure it again, and show it.
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openDevice } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { openTasks } from "../compose/tasks.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { shippedModels } from "../config/shipped.ts";
import type { Measured } from "../eval/metrics.ts";
import { writeWhole } from "../eval/whole-file.ts";
import { ExitCode } from "../exit-codes.ts";
import { exportCheckpoint } from "../export/export.ts";
import type { CliIo } from "../io.ts";
import { report } from "../report/report.ts";
import { drive } from "../run/drive.ts";
import { grpoJob } from "../train/job.ts";
import { baselineColumns } from "./baseline.ts";
import { type HeldOut, measureModel } from "./held-out.ts";
import { realTasks } from "./real.ts";
import { type Column, comparison } from "./table.ts";

export interface DemoOptions {
  readonly seed: number;
  readonly steps: number;
  /** Held-out charts; each is answered once by each model. */
  readonly charts: number;
  /** Default: a new one below `runs/`. An interrupted demo goes on in its directory. */
  readonly out?: string | undefined;
  /** A directory of published sets, in place of nano-charts. */
  readonly real?: string | undefined;
  /** In place of the nano student and teacher. */
  readonly student?: string | undefined;
  readonly teacher?: string | undefined;
}

const RECIPE = "nano-iapo-occlusion";

export async function demo(options: DemoOptions, io: CliIo): Promise<number> {
  const start = performance.now();
  const directory = resolve(options.out ?? (await freeDirectory("runs/demo")));
  const silent: CliIo = { ...io, out: () => {} };
  const at = (name: string): string => join(directory, name);
  const world = await openWorld(options, directory, io);
  const { loaded } = world;
  const { student, teacher } = { student: modelOf(loaded, "model"), teacher: modelOf(loaded, "teacher") };
  const columns: Column[] = [];
  try {
    const measureAll = async (title: string, name: string, model: string): Promise<Measured> => {
      using device = await openDevice();
      const { count } = world.heldOut;
      const measured = await measureModel({ ...world.heldOut, device, signal: io.signal }, model, at(name), (done) =>
        io.note(`  ${title}: ${done} of ${count}`),
      );
      columns.push({ title, measured });
      return measured;
    };
    io.note(
      `1. The student before, and its teacher, on ${world.heldOut.count} held-out ${world.what}, sampled at T = 1`,
    );
    await measureAll("before", "before", student);
    await measureAll("teacher", "teacher", teacher);
    io.note(`2. ${options.steps} steps of IAPO`);
    const code = await drive(
      loaded,
      grpoJob(loaded.config),
      { out: at("run"), resume: await exists(at("run")) },
      silent,
    );
    if (code !== ExitCode.done) return code;
    if (!(await exists(at("model"))))
      await exportCheckpoint({ source: at("run"), out: at("model"), which: "last" }, silent);
    io.note("3. The student after");
    await measureAll("after", "after", at("model"));
  } catch (error) {
    if (!io.signal.aborted || error !== io.signal.reason) throw error;
    io.note(`interrupted; the same command with --out ${directory} goes on where it stopped`);
    return ExitCode.interrupted;
  }
  await report([at("run")], { out: at("report.html") }, silent);
  const [before, teacherColumn, after] = columns as [Column, Column, Column];
  const shown = [before, after, teacherColumn, ...(options.real === undefined ? await baselineColumns() : [])];
  await writeWhole(at("result.json"), `${JSON.stringify({ options, columns: shown }, null, 2)}\n`);
  io.out(`\n${comparison(shown)}\n`);
  for (const remark of world.remarks) io.out(remark);
  io.out(
    [
      `Rates of ${world.heldOut.count} held-out ${world.what}, 95 % bootstrap intervals; ${((performance.now() - start) / 1000).toFixed(0)} s in all.`,
      `Look at ${at("report.html")}: curves, and what calls rest on, student beside teacher.`,
      `The trained model is ${at("model")}; iapo replay ${at("run")} computes every step again.`,
    ].join("\n"),
  );
  return ExitCode.done;
}

interface World {
  readonly loaded: LoadedConfig;
  readonly heldOut: Omit<HeldOut, "device" | "signal">;
  /** What the tasks are. */
  readonly what: string;
  readonly remarks: readonly string[];
}

async function openWorld(options: DemoOptions, directory: string, io: CliIo): Promise<World> {
  const { seed, steps, student, teacher, real } = options;
  const common = [
    `grpo.seed=${seed}`,
    `grpo.steps=${steps}`,
    "grpo.evaluate=", // the demo measures before and after by itself
    ...(student === undefined ? [] : [`model.directory=${JSON.stringify(resolve(student))}`]),
    ...(teacher === undefined ? [] : [`teacher.directory=${JSON.stringify(resolve(teacher))}`]),
  ];
  if (real === undefined) {
    const loaded = loadConfig(RECIPE, [...common, `data.nanoCharts.seed=${seed}`]);
    const { validation } = await openTasks({ nanoCharts: { ...loaded.config.data.nanoCharts!, seed: HELD_OUT_SEED } });
    return { loaded, heldOut: heldOutOf(loaded, validation!, options.charts), what: "charts", remarks: [] };
  }
  const found = await realTasks(real, join(directory, "tasks"), (text) => io.note(`  ${text}`));
  const loaded = loadConfig(RECIPE, [
    ...common,
    "data.nanoCharts=",
    `data.files.format=tasks`,
    `data.files.path=${JSON.stringify(found.train)}`,
  ]);
  const { train: heldOut } = await openTasks({ files: { ...loaded.config.data.files!, path: found.heldOut } });
  const remarks =
    student === undefined
      ? ["The nano student has seen nothing but small bar charts: its answers to these are poor, as expected."]
      : [];
  return { loaded, heldOut: heldOutOf(loaded, heldOut, found.count.heldOut), what: "real charts and tables", remarks };
}

/** Charts that no demo trains on have names and columns of other tables, and another seed. */
const HELD_OUT_SEED = 1000;

function heldOutOf({ config }: LoadedConfig, tasks: HeldOut["tasks"], count: number): World["heldOut"] {
  const environment = createEnvironment({ options: config.environment });
  return { environment, tasks, count, maxTokens: config.grpo.rollout.maxTokens };
}

function modelOf({ config }: LoadedConfig, part: "model" | "teacher"): string {
  const named = config[part]?.directory ?? "";
  return shippedModels[named] ?? named;
}

/** `runs/demo`, or with the first number behind it that is free. */
async function freeDirectory(wanted: string): Promise<string> {
  for (let number = 1; ; number++) {
    const directory = number === 1 ? wanted : `${wanted}-${number}`;
    if (!(await exists(directory)) || (await readdir(directory)).length === 0) return directory;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
