// What a diagnosis leaves on disk.

import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import type { Diagnosis, Fault } from "../../diagnose/diagnose.ts";
import type { Estimate } from "../../diagnose/statistics.ts";

/** What `diagnosis.json` holds. */
export interface DiagnosisFile {
  readonly version: 2;
  readonly models: { readonly student: string; readonly teacher: string };
  readonly charts: { readonly seed: number; readonly split: NanoSplit; readonly count: number };
  readonly diagnosis: Diagnosis;
  readonly choice?: Choice | undefined;
}

export interface Choice {
  readonly setting: string;
  /** Where it was chosen. */
  readonly split: NanoSplit;
  /** Areas against the right call of the same chart, there and on this diagnosis' tables. */
  readonly there: Readonly<Record<Fault, Estimate>>;
  readonly here: Readonly<Record<Fault, Estimate>>;
}
