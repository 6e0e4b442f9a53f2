// The checkpoints of a run: written beside and renamed, the last few kept. A directory under its final name is whole.
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeDirectory, syncDirectory, writeAdvice, writeFileAtomic } from "@iapo/rollout-trace/files";
import { TensorError } from "@iapo/tensor-core";
import { z } from "zod";
import { GrpoError } from "../error.ts";
import type { KeptTensors } from "./kept.ts";
import { verifyManifest, writeManifest } from "./manifest.ts";
import { checkTensors, type NamedTensors, readTensors, writeTensors } from "./tensors.ts";

/** What a checkpoint holds beside the state. */
export interface CheckpointTensors {
  readonly parameters: NamedTensors;
  readonly optimizer: NamedTensors;
}

export interface Checkpoint {
  /** Steps that are done. */
  readonly step: number;
  readonly path: string;
}

const FILES = ["parameters.safetensors", "optimizer.safetensors", "state.json"] as const;
const pattern = /^step-(\d{6,})$/;

function nameOf(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/** The whole checkpoints of a directory, ascending; none where there is no directory. */
export async function listCheckpoints(directory: string): Promise<Checkpoint[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw failed(directory, "listed", error);
  });
  return names
    .flatMap((name) => {
      const digits = pattern.exec(name)?.[1];
      return digits === undefined ? [] : [{ step: Number(digits), path: join(directory, name) }];
    })
    .sort((one, other) => one.step - other.step);
}

/**
 * Writes the checkpoint after `step` steps. It appears under its name when all of it is on the disk.
 * @throws GrpoError `checkpoint`, TensorError `device_lost`; then nothing of it is left, and the checkpoints before it stand
 */
export async function writeCheckpoint(
  directory: string,
  step: number,
  tensors: CheckpointTensors | KeptTensors,
  state: object,
): Promise<Checkpoint> {
  const path = join(directory, nameOf(step));
  const beside = `${path}.partial`;
  try {
    await rm(beside, { recursive: true, force: true });
    await makeDirectory(beside);
    await writeTensors(join(beside, FILES[0]), tensors.parameters);
    await writeTensors(join(beside, FILES[1]), tensors.optimizer);
    await writeFileAtomic(join(beside, FILES[2]), `${JSON.stringify(state, null, 2)}\n`);
    await writeManifest(beside, FILES);
    await syncDirectory(beside);
    await rm(path, { recursive: true, force: true });
    await rename(beside, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(beside, { recursive: true, force: true }).catch(() => undefined);
    if (error instanceof TensorError && error.code === "device_lost") throw error;
    throw failed(path, "written", error, `${writeAdvice(error)}, then resume the run`);
  }
  return { step, path };
}

/**
 * Verifies a checkpoint as a whole, then fills the tensors and returns its state.
 * @throws GrpoError `checkpoint` for a damaged one, or one of another model; the tensors then are as they were
 */
export async function readCheckpoint<S extends { readonly step: number }>(
  path: string,
  tensors: CheckpointTensors,
  schema: z.ZodType<S>,
): Promise<S> {
  await verifyManifest(path, FILES);
  const state = await readState(path, schema);
  const files = [
    [join(path, FILES[0]), tensors.parameters],
    [join(path, FILES[1]), tensors.optimizer],
  ] as const;
  for (const [file, named] of files) await checkTensors(file, named);
  for (const [file, named] of files) await readTensors(file, named);
  return state;
}

/**
 * Verifies a checkpoint as a whole, then fills the parameters alone, for those who go on without its optimizer.
 * @throws GrpoError `checkpoint` as {@link readCheckpoint}
 */
export async function readParameters(path: string, parameters: NamedTensors): Promise<void> {
  await verifyManifest(path, FILES);
  const file = join(path, FILES[0]);
  await checkTensors(file, parameters);
  await readTensors(file, parameters);
}

/** The state of a checkpoint, as it was written; its tensors are not looked at. @throws GrpoError `checkpoint` */
export async function readState<S extends { readonly step: number }>(path: string, schema: z.ZodType<S>): Promise<S> {
  const file = join(path, FILES[2]);
  const value: unknown = await readFile(file, "utf8")
    .then(JSON.parse)
    .catch((error: unknown) => {
      throw failed(file, "read", error, "take another checkpoint");
    });
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new GrpoError("checkpoint", `${file} is not of this version: ${z.prettifyError(parsed.error)}`);
  const named = pattern.exec(basename(path))?.[1];
  if (named === undefined || Number(named) === parsed.data.step) return parsed.data;
  throw new GrpoError(
    "checkpoint",
    `${path} holds the checkpoint after ${parsed.data.step} steps, not what its name says; call it ${nameOf(parsed.data.step)} again`,
  );
}

/** Deletes all but the last `count` checkpoints and those in `spared`, and what an interrupted write has left. */
export async function pruneCheckpoints(directory: string, count: number, spared: readonly number[]): Promise<void> {
  const all = await listCheckpoints(directory);
  for (const { step, path } of all.slice(0, Math.max(0, all.length - count))) {
    if (spared.includes(step)) continue;
    await rename(path, `${path}.partial`); // so that a half-deleted one is never taken for whole
  }
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names) {
    if (name.endsWith(".partial")) await rm(join(directory, name), { recursive: true, force: true });
  }
}

function failed(path: string, what: string, cause: unknown, advice = "look at its permissions"): GrpoError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GrpoError("checkpoint", `${path} cannot be ${what}: ${reason}; ${advice}`, { cause });
}
