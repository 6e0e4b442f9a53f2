// iapo doctor: examines the machine and prints what was found.

import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { size } from "./consequences.ts";
import { type Examination, examine } from "./examine.ts";

export interface DoctorFlags {
  readonly json: boolean;
  /** The file that JSON is written into. */
  readonly file: string | undefined;
  readonly kernels: boolean;
}

export async function doctor({ json, file, kernels }: DoctorFlags, io: CliIo): Promise<number> {
  if (kernels) io.note("compiling the pipelines of a training step, without the driver's cache");
  const examination = await examine({ kernels });
  const text = JSON.stringify(examination, null, 2);
  if (file !== undefined) await writeFileAtomic(file, `${text}\n`);
  if (!json || file !== undefined) io.out(asText(examination));
  else io.out(text);
  return examination.adapter === null ? ExitCode.noAdapter : ExitCode.done;
}

const marks = { fine: "ok", limited: "! ", missing: "X " } as const;

function asText({ node, platform, adapter, adapters, limits, memory, findings, kernels }: Examination): string {
  const row = (name: string, value: string): string => `  ${name.padEnd(36)} ${value}`;
  const lines = [row("node", `${node}, ${platform}`)];
  if (adapter) {
    lines.push(
      row("adapter", [adapter.device, adapter.vendor, adapter.architecture].filter(Boolean).join(", ")),
      row("driver", adapter.description),
      row("runs on", adapter.software ? "the CPU (software adapter)" : "a GPU"),
      row("kernels", `${adapter.family} family`),
      row("features", adapter.features.join(", ") || "none"),
    );
    const tuned = Object.keys(adapter.tuning).length;
    if (tuned > 0) lines.push(row("chosen by --tune", `kernels of ${tuned} products`));
  }
  for (const name of adapters) lines.push(row("--adapter", name));
  const isBytes = /Size$/;
  for (const [name, value] of Object.entries(limits))
    lines.push(row(name, isBytes.test(name) ? size(value) : String(value)));
  const budget = memory.budget === null ? "" : `; ${size(memory.budget)} for tensors`;
  lines.push(row("memory", `${size(memory.total)}, ${size(memory.free)} free${budget}`), "");
  lines.push(...findings.map(({ level, text }) => `  ${marks[level]} ${text}`));
  if (kernels) {
    const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    lines.push("", row(`${kernels.length} pipelines of a training step`, `${total.toFixed(0)} ms cold`));
    const slowestFirst = kernels.toSorted((a, b) => b.milliseconds - a.milliseconds);
    for (const { kernel, milliseconds } of slowestFirst) lines.push(row(`${milliseconds.toFixed(0)} ms`, kernel));
  }
  return lines.join("\n");
}
