// What a demo trains and measures on: nano-charts, or real charts and tables; and which models.
import { dirname, join } from "node:path";
import { environmentOf, type Job, openJob, shippedModels } from "@iapo/jobs";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";
import type { HeldOut } from "./held-out.ts";
import type { DemoOptions } from "./options.ts";
import { realTasks } from "./real.ts";
import { regimeSetting } from "./regime.ts";

export interface DemoSetup {
  /** The training, in `run` of the directory. */
  readonly job: Job;
  readonly heldOut: Omit<HeldOut, "device" | "signal">;
  /** What the tasks are. */
  readonly what: string;
  readonly remarks: readonly string[];
  /** Model directories. */
  readonly student: string;
  readonly teacher: string | undefined;
}

/** @throws TrainerError `config`, `missing` */
export async function openSetup(
  options: DemoOptions,
  directory: string,
  note: (text: string) => void,
): Promise<DemoSetup> {
  const { seed, steps, student, teacher, real, regime } = options;
  const common = [
    `grpo.seed=${seed}`,
    `grpo.steps=${steps}`,
    ...(regime === undefined ? [] : [regimeSetting(regime)]),
    "grpo.evaluate=", // the demo measures before and after by itself
    ...(student === undefined ? [] : [`model.directory=${student}`]),
    ...(teacher === undefined ? [] : [`teacher.directory=${teacher}`]),
  ];
  const jobOf = (set: readonly string[]): Job =>
    openJob(options.recipe, { kind: "train", set: [...common, ...set], directory: join(directory, "run") });
  if (real === undefined) {
    const job = jobOf([`data.nanoCharts.seed=${seed}`]);
    const { nanoCharts } = job.config.data;
    const { validation } = nanoCharts ? await openTasks({ nanoCharts: { ...nanoCharts, seed: HELD_OUT_SEED } }) : {};
    if (!validation)
      throw new TrainerError("config", `${options.recipe}: the demo measures on nano-charts; set data.nanoCharts`);
    return {
      job,
      heldOut: await heldOutOf(job, validation, options.charts),
      what: "charts",
      remarks: [],
      ...directoriesOf(job),
    };
  }
  const found = await realTasks(real, join(directory, "tasks"), (text) => note(`  ${text}`));
  const job = jobOf([
    "data.nanoCharts=",
    "data.files.format=tasks",
    `data.files.path=${found.train}`,
    `data.files.images=${dirname(found.train)}`,
  ]);
  const { files } = job.config.data;
  if (!files) throw new TrainerError("config", `${options.recipe}: its data cannot be replaced by files`);
  const place = { path: found.heldOut, images: dirname(found.heldOut) };
  const { train: heldOut } = await openTasks({ files: { ...files, ...place } });
  const remarks =
    student === undefined
      ? ["The nano student has seen nothing but small bar charts: its answers to these are poor, as expected."]
      : [];
  return {
    job,
    heldOut: await heldOutOf(job, heldOut, found.count),
    what: "real charts and tables",
    remarks,
    ...directoriesOf(job),
  };
}

/** Charts that no demo trains on have names and columns of other tables, and another seed. */
const HELD_OUT_SEED = 1000;

async function heldOutOf({ config }: Job, tasks: HeldOut["tasks"], count: number): Promise<DemoSetup["heldOut"]> {
  const environment = await environmentOf(config.environment);
  return { environment, tasks, count, maxTokens: config.grpo.rollout.maxTokens };
}

/** The directories that a configuration names. @throws TrainerError `config` for models of a hub */
function directoriesOf({ config }: Job): Pick<DemoSetup, "student" | "teacher"> {
  const of = (settings: { readonly directory?: string | undefined }): string => {
    const { directory } = settings;
    if (directory === undefined)
      throw new TrainerError("config", "the demo takes models from directories; download the hub's first");
    return shippedModels.get(directory) ?? directory;
  };
  return { student: of(config.model), teacher: config.teacher && of(config.teacher) };
}
