// iapo demo: the slice, then a short training; leaves a picture of what the tool did and the loss curve.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDevice } from "@iapo/tensor-core";
import { contactSheet } from "@iapo/visual-tools";
import { encodePng } from "@iapo/visual-tools/sharp";
import { curveSvg } from "../chart/svg.ts";
import { drawCurve } from "../chart/terminal.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { runSlice } from "../slice/slice.ts";
import { startTraining } from "./train.ts";

export interface DemoOptions {
  readonly steps: number;
  readonly seed: number;
  /** Directory of the results. */
  readonly out: string;
}

export async function demo({ steps, seed, out }: DemoOptions, { out: print, note, signal }: CliIo): Promise<number> {
  using device = await openDevice();
  await mkdir(out, { recursive: true }); // a place that cannot be written to is found out before the work
  const files = { edit: join(out, "edit.png"), curve: join(out, "loss.svg") };
  note(`on ${device.facts.description}\n\n1. One real chart all the way through a nano model with random weights`);
  const slice = await runSlice(device, seed, (text) => note(`   ${text}`));
  const [before, after] = slice.images;
  await writeWhole(files.edit, await encodePng(contactSheet([{ before, after }])));
  print(
    [
      `log-probs of ${slice.equalLogProbs} of ${slice.sampledTokens} sampled tokens equal to the bit in training`,
      `export: ${slice.exportedRows} rows of logits equal to the bit after reloading`,
      `what the tool did for "${slice.question}": ${files.edit}`,
    ].join("\n"),
  );
  note(`\n2. ${steps} supervised steps on demonstrations of chart questions`);
  const { losses, seconds } = await train(device, { steps, seed, note, signal });
  const [first, last] = [losses[0], losses.at(-1)];
  if (first !== undefined && last !== undefined) {
    note(`\n${drawCurve(losses)}\n`);
    await writeWhole(files.curve, curveSvg(losses, `Loss of a nano model, ${losses.length} supervised steps`));
    print(
      `loss ${first.toFixed(3)} -> ${last.toFixed(3)} in ${losses.length} steps, ${seconds.toFixed(1)} s; curve: ${files.curve}`,
    );
  }
  if (signal.aborted) note("interrupted: the steps until then are in the curve");
  return signal.aborted ? ExitCode.interrupted : ExitCode.done;
}

async function train(
  device: Parameters<typeof startTraining>[0],
  { steps, seed, note, signal }: { steps: number; seed: number } & Pick<CliIo, "note" | "signal">,
): Promise<{ losses: number[]; seconds: number }> {
  const training = await startTraining(device, seed);
  const losses: number[] = [];
  const start = performance.now();
  try {
    while (losses.length < steps && !signal.aborted) {
      losses.push(await training.step());
      if (losses.length % 10 === 0) note(`   step ${losses.length}: loss ${losses.at(-1)?.toFixed(3)}`);
    }
  } finally {
    training.dispose();
  }
  return { losses, seconds: (performance.now() - start) / 1000 };
}

/** The file is there whole or not at all. */
async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const beside = `${file}.${process.pid}.part`;
  await writeFile(beside, content);
  await rename(beside, file);
}
