// A run on disk: `run.json`, `steps/` (traces and metrics, a file per step), `checkpoints/`, and `timings.jsonl`, which no hash covers.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { appendLine, writeFileAtomic } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { z } from "zod";
import { GrpoError } from "../error.ts";

export interface RunPaths {
  readonly run: string;
  readonly steps: string;
  readonly checkpoints: string;
  readonly timings: string;
}

function runPaths(directory: string): RunPaths {
  return {
    run: join(directory, "run.json"),
    steps: join(directory, "steps"),
    checkpoints: join(directory, "checkpoints"),
    timings: join(directory, "timings.jsonl"),
  };
}

const schema = z.strictObject({
  version: z.literal(1),
  /** Which kernels made the run: others may give other bits. */
  kernelFamily: z.string(),
  adapter: z.string(),
  settings: z.json(),
});

/**
 * Begins a run's directory, or checks that a run in it can go on.
 * @param settings plain data that decides what the run computes
 * @throws GrpoError `checkpoint` where a run is there that is not to be resumed, or was made with other settings or kernels
 */
export async function openRunDirectory(
  directory: string,
  device: Device,
  settings: object,
  resume: boolean,
): Promise<RunPaths> {
  const paths = runPaths(directory);
  const { family, description } = device.facts;
  const plain: unknown = JSON.parse(JSON.stringify(settings));
  const present = await readRun(paths.run);
  if (!present) {
    await mkdir(paths.steps, { recursive: true });
    await mkdir(paths.checkpoints, { recursive: true });
    const run = { version: 1, kernelFamily: family, adapter: description, settings: plain };
    await writeFileAtomic(paths.run, `${JSON.stringify(run, null, 2)}\n`);
    return paths;
  }
  const refuse = (problem: string): GrpoError => new GrpoError("checkpoint", `${paths.run}: ${problem}`);
  if (!resume) throw refuse("a run is here already; resume it, or choose another directory");
  if (present.kernelFamily !== family) {
    throw refuse(
      `the run was made with the ${present.kernelFamily} kernels (${present.adapter}), this adapter takes the ${family} ones; resume it where it was made`,
    );
  }
  if (!isDeepStrictEqual(present.settings, plain)) {
    throw refuse(
      "the run was made with other settings; resume it with those in this file, or choose another directory",
    );
  }
  return paths;
}

async function readRun(file: string): Promise<z.infer<typeof schema> | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new GrpoError("checkpoint", `${file} cannot be read: ${error.message}`, { cause: error });
  });
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new GrpoError("checkpoint", `${file} is not the file of a run: ${(cause as Error).message}`, { cause });
  }
}

export async function appendTimings(
  file: string,
  step: number,
  timings: Readonly<Record<string, number>>,
): Promise<void> {
  const rounded = Object.entries(timings).map(([part, milliseconds]) => [`timing_s/${part}`, milliseconds / 1000]);
  await appendLine(file, { step, ...Object.fromEntries(rounded) });
}
