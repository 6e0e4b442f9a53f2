// The choice of a diagnosis, looked at on tables that had no part in it: where many settings are compared, the best one looks too good.
import { readFile, stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { problemOf } from "@iapo/rollout-trace";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import { labelOf } from "../../diagnose/diagnose.ts";
import { IapoError } from "../../error.ts";
import type { Choice, DiagnosisFile } from "./file.ts";

const estimate = z.object({ auc: z.number(), low: z.number(), high: z.number() });
const separation = z.object({ paired: estimate });
const fileSchema = z.object({
  version: z.literal(2),
  models: z.object({ student: z.string(), teacher: z.string() }),
  charts: z.object({ split: z.enum(["train", "validation", "test"]) }),
  diagnosis: z.object({
    recommended: z.int().min(0).nullable(),
    cells: z.array(
      z.object({
        settings: z.record(z.string(), z.json()),
        faults: z.object({ wrong_axis: separation, wrong_names: separation }),
      }),
    ),
  }),
});

export interface EarlierChoice {
  readonly file: string;
  readonly models: DiagnosisFile["models"];
  readonly split: NanoSplit;
  readonly settings: unknown;
  readonly areas: Choice["there"];
}

const MOST_BYTES = 2 ** 24;

/** What `iapo diagnose` left in a `diagnosis.json`. @throws IapoError `missing`, `invalid` */
export async function readChoice(file: string): Promise<EarlierChoice> {
  const found = await parse(file);
  const { recommended, cells } = found.diagnosis;
  const cell = recommended === null ? undefined : cells[recommended];
  if (!cell) throw new IapoError("invalid", `${file}: this diagnosis chose no setting, so there is none to report on`);
  const { wrong_axis, wrong_names } = cell.faults;
  const areas = { wrong_axis: wrong_axis.paired, wrong_names: wrong_names.paired };
  return { file, models: found.models, split: found.charts.split, settings: cell.settings, areas };
}

async function parse(file: string): Promise<z.infer<typeof fileSchema>> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile())
    throw new IapoError("missing", `${file}: there is no such file; iapo diagnose writes diagnosis.json`);
  try {
    if (found.size > MOST_BYTES) throw new Error(`it has ${found.size} bytes`);
    return fileSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (cause) {
    const problem = problemOf(cause);
    throw new IapoError("invalid", `${file} is not the result of a diagnosis: ${problem}`, { cause });
  }
}

/** The diagnosis with the earlier choice in place of its own. @throws IapoError `settings` for other models or another grid */
export function compareWithChoice(made: DiagnosisFile, earlier: EarlierChoice): DiagnosisFile {
  if (!isDeepStrictEqual(made.models, earlier.models))
    throw new IapoError(
      "settings",
      `${earlier.file} is a diagnosis of other models; give the same --student and --teacher`,
    );
  const { cells } = made.diagnosis;
  const chosen = cells.findIndex(({ settings }) => isDeepStrictEqual(settings, earlier.settings));
  const cell = cells[chosen];
  if (!cell) throw new IapoError("settings", `${earlier.file} chose a setting that is not compared here`);
  const { wrong_axis, wrong_names } = cell.faults;
  const here = { wrong_axis: wrong_axis.paired, wrong_names: wrong_names.paired };
  const { split, areas: there } = earlier;
  return {
    ...made,
    diagnosis: { ...made.diagnosis, recommended: chosen },
    choice: { setting: labelOf(cell.settings), split, there, here },
  };
}
