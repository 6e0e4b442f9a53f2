// A reading of the meter in words: one line for logs, a few for a screen.
import type { Metrics } from "@iapo/grpo";
import { formatDuration } from "@iapo/run-report";
import { size } from "../doctor/consequences.ts";
import type { Reading } from "./meter.ts";

/** What is shown of a step's metrics, where it is there. */
const shown: readonly (readonly [name: string, metric: string])[] = [
  ["loss", "train/loss"],
  ["reward", "reward/outcome"],
  ["tool calls", "tool_call_ratio"],
  ["misuse", "reward/tool_misuse"],
  ["right names", "reward/tool_names"],
  ["entropy", "actor/entropy"],
  ["validation", "val/reward_score"],
  ["failed", "rollout/failed"],
];

const levels = "▁▂▃▄▅▆▇█";

/** A finished step. */
export function stepLine(reading: Reading): string {
  const { step, steps, metrics } = reading;
  return [`step ${step}/${steps}`, ...values(metrics), ...pace(reading)].join("  ");
}

/** @param title what runs, and where */
export function screenLines(title: string, reading: Reading, width: number): string[] {
  const { step, steps, phase, metrics, rewards, alarms } = reading;
  const share = step / steps;
  const bar = Math.max(8, Math.min(40, width - 50));
  const filled = Math.round(share * bar);
  const percent = `${Math.floor(100 * share)} %`.padStart(5);
  return [
    title,
    `step ${step}/${steps} [${"=".repeat(filled)}${" ".repeat(bar - filled)}] ${percent}  ${phase}`,
    values(metrics).join("  ") || "the first step is at work",
    ...(rewards.length > 1 ? [`reward ${curve(rewards)}`] : []),
    pace(reading).join("  "),
    ...(reading.workers ? [`workers ${reading.workers.join("  ") || "none yet"}`] : []),
    ...alarms.slice(-3).map((alarm) => alarmLine(alarm)),
  ];
}

export function alarmLine({ name, step, numbers }: Reading["alarms"][number]): string {
  const found = Object.entries(numbers).map(([metric, value]) => `${metric} ${value.toPrecision(3)}`);
  return `! ${name} at step ${step + 1}: ${found.join(", ")}`;
}

function values(metrics: Metrics): string[] {
  return shown.flatMap(([name, metric]) => {
    const value = metrics[metric];
    const isQuiet = value === undefined || (metric === "rollout/failed" && value === 0);
    return isQuiet ? [] : [`${name} ${value.toFixed(Number.isInteger(value) && metric === "rollout/failed" ? 0 : 3)}`];
  });
}

function pace(reading: Reading): string[] {
  const { secondsPerStep, tokensPerSecond, eta, gpuBytes, gpuReservedBytes } = reading;
  return [
    ...(secondsPerStep === undefined ? [] : [`${secondsPerStep.toFixed(1)} s/step`]),
    ...(tokensPerSecond === undefined ? [] : [`${tokensPerSecond.toFixed(0)} tokens/s`]),
    ...(eta === undefined ? [] : [`ETA ${formatDuration(eta)}`]),
    `GPU ${size(gpuBytes)} of ${size(gpuReservedBytes)} reserved`,
    `peaks ${size(reading.gpuPeakBytes)} of ${size(reading.gpuPeakReservedBytes)}`,
  ];
}

/** One character a value, from 0 to the largest. */
function curve(list: readonly number[]): string {
  const top = Math.max(...list, 1e-9);
  return list.map((value) => levels[Math.max(0, Math.min(7, Math.floor((value / top) * 7.999)))]).join("");
}
