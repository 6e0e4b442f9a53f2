// A diagnosis as plain text.
import { toText } from "@iapo/rollout-trace/text";
import { type Diagnosis, faults, isCheaper, labelOf } from "./diagnose.ts";
import type { Estimate } from "./statistics.ts";

const heading = ["setting", "AUC axis", "worst", "AUC names", "worst", "all pairs: axis", "names", ""];

/**
 * A line per cell: the areas on the same chart, in the student's worst state and which that is, and over all pairs, with 95 % intervals. `!`
 * marks a cell in which a fault costs less than a right call, `*` the recommended one; the warnings follow.
 */
export function diagnosisTable({ cells, charts, states, recommended, warnings, options }: Diagnosis): string {
  const rows = cells.map(({ settings, faults: found }, i) => [
    labelOf(settings),
    ...faults.flatMap((fault) => [estimate(found[fault].paired), states.length > 1 ? found[fault].state : ""]),
    ...faults.map((fault) => estimate(found[fault].pooled)),
    (faults.some((fault) => isCheaper(found[fault])) ? "!" : "") + (i === recommended ? "*" : ""),
  ]);
  const best = recommended === null ? undefined : cells[recommended];
  return [
    `${charts} charts, ${options.divergence}, target ${options.target}; 95 % intervals from ${options.replicates} resamples of the charts`,
    `the student ${states.join("; ")}`,
    "",
    toText([heading, ...rows], 1),
    "",
    ...(best ? [`* recommended: ${labelOf(best.settings)}`] : []),
    ...warnings.map((warning) => `! ${warning}`),
    "",
  ].join("\n");
}

function estimate({ auc, low, high }: Estimate): string {
  return `${auc.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}
