// iapo demo, the main job in one command: measure a student on held-out tasks, train it by IAPO beside a teacher, measure it again, and show it.
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { keepSettings } from "@iapo/evaluation";
import { exportCheckpoint } from "@iapo/jobs";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { loadRuns, writeReport } from "@iapo/run-report";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { runWithProgress } from "../run/run-job.ts";
import { workIn } from "../run/work-in.ts";
import { baseline } from "./baseline.ts";
import { measureModel } from "./held-out.ts";
import type { DemoOptions } from "./options.ts";
import { demoOf, regimeOf, whatGrpoSees } from "./regime.ts";
import { openSetup } from "./setup.ts";
import { type Column, comparison } from "./table.ts";

export async function demo(options: DemoOptions, io: CliIo): Promise<number> {
  (await openAdapter()).close(); // without an adapter nothing is begun
  const directory = resolve(options.out ?? (await freeDirectory("runs/demo")));
  const again = `the same command with --out ${directory} goes on where it stopped`;
  return workIn(directory, io, () => runDemo(options, directory, io), again);
}

async function runDemo(options: DemoOptions, directory: string, io: CliIo): Promise<number> {
  const start = performance.now();
  const silent: CliIo = { ...io, out: () => {} };
  const at = (name: string): string => join(directory, name);
  const { note, signal } = io;
  const { job, heldOut, what, remarks, student, teacher } = await openSetup(options, directory, note);
  await keepSettings(at("demo.json"), { ...options, out: undefined }, "a demo");
  const regime = regimeOf(job.config.environment);
  const isOurs = options.real === undefined && regime !== undefined && options.recipe === demoOf[regime].recipe;
  const grpo = isOurs ? await baseline(regime) : undefined;
  const { count } = heldOut;
  const column = async (title: string, model: string): Promise<Column> => {
    using device = await openAdapter();
    const measured = await measureModel({ ...heldOut, device, signal }, model, at(title), (done) =>
      note(`  ${title}: ${done} of ${count}`),
    );
    return { title, measured };
  };
  const columns: Column[] = [];
  note(
    `1. The student before${teacher === undefined ? "" : ", and its teacher"}: ${count} held-out ${what}, sampled at T = 1`,
  );
  columns.push(await column("before", student));
  const beside = teacher === undefined ? [] : [await column("teacher", teacher)];
  note(`2. ${options.steps} steps of ${job.name}`);
  const [run, model] = [at("run"), at("model")];
  const code = await runWithProgress(job, { resume: await exists(run) }, silent);
  if (code !== ExitCode.done) return code;
  if (!(await exists(model))) await exportCheckpoint(run, model, { which: "last", signal });
  note("3. The student after");
  columns.push(await column("after", model), ...beside);
  columns.push(...(grpo?.columns ?? []));
  await writeReport(await loadRuns([at("run")]), at("report.html"));
  await writeFileAtomic(at("result.json"), `${JSON.stringify({ options, columns }, null, 2)}\n`);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  io.out(`\n${comparison(columns)}\n`);
  const seen = regime ? [whatGrpoSees[regime]] : [];
  for (const remark of [...remarks, ...seen, ...(grpo ? [grpo.note] : [])]) io.out(remark);
  io.out(`Rates of ${count} held-out ${what}, with 95 % bootstrap intervals; ${seconds} s in all.`);
  io.out(`Look at ${at("report.html")}: curves, and what calls rest on.`);
  io.out(`The trained model is ${at("model")}; iapo replay ${at("run")} computes every step again.`);
  return ExitCode.done;
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
