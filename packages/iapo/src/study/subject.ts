// What studies look at.
import type { VqaEnvironment } from "@iapo/vqa-tasks";
import type { NanoCharts } from "@iapo/vqa-tasks/nano";
import type { IapoSettings } from "../config/types.ts";

/** Charts whose right calls are known, the environment of their episodes, and the settings by which calls are explained. */
export interface StudySubject {
  readonly charts: NanoCharts;
  readonly environment: VqaEnvironment;
  readonly iapo: IapoSettings;
}
