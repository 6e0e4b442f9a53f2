// iapo demo: trains, draws, writes the curve.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { openDevice } from "@iapo/tensor-core";
import { curveSvg } from "../chart/svg.ts";
import { drawCurve } from "../chart/terminal.ts";
import type { CliIo } from "../cli.ts";
import { ExitCode } from "../exit-codes.ts";
import { startTraining } from "./train.ts";

export interface DemoOptions {
  readonly steps: number;
  readonly out: string;
}

export async function demo({ steps, out }: DemoOptions, { out: print, note, signal }: CliIo): Promise<number> {
  await mkdir(dirname(out), { recursive: true }); // a place that cannot be written to is found out before the training
  const device = await openDevice();
  note(`training a two-layer net with AdamW on ${device.facts.description}`);
  const training = startTraining(device);
  const losses: number[] = [];
  const start = performance.now();
  try {
    while (losses.length < steps && !signal.aborted) {
      losses.push(await training.step());
      if (losses.length % 100 === 0) note(`step ${losses.length}: loss ${losses.at(-1)?.toPrecision(3)}`);
    }
  } finally {
    training.dispose();
    device.close();
  }
  const seconds = (performance.now() - start) / 1000;
  note(`\n${drawCurve(losses)}\n`);
  await writeWhole(out, curveSvg(losses, `Loss of a two-layer net, ${losses.length} steps of AdamW`));
  const [first, last] = [losses[0] as number, losses.at(-1) as number];
  print(
    `loss ${first.toPrecision(3)} -> ${last.toPrecision(3)} in ${losses.length} steps, ${seconds.toFixed(1)} s; curve: ${out}`,
  );
  if (signal.aborted) note("interrupted: the steps until then are in the curve");
  return signal.aborted ? ExitCode.interrupted : ExitCode.done;
}

/** The file is there whole or not at all. */
async function writeWhole(file: string, text: string): Promise<void> {
  const beside = `${file}.${process.pid}.part`;
  await writeFile(beside, text);
  await rename(beside, file);
}
