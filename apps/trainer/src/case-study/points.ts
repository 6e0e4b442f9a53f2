// The models of a case study, one after the other: a run's beginning and its checkpoints, or models by name.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { listCheckpoints, loadCheckpoint } from "@iapo/grpo";
import type { Teacher } from "@iapo/iapo";
import { DifferentiablePolicy, type QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Device } from "@iapo/tensor-core";
import { openPolicy } from "../compose/model.ts";
import type { Study } from "../compose/study.ts";
import type { ModelSource } from "../config/model.ts";
import { runDirectory } from "../run/open-run.ts";
import { openTeacher } from "../train/parts.ts";

export interface StudiedPolicy {
  readonly policy: QwenVLPolicy;
  readonly model: Teacher["model"];
}

export interface StudyPoint {
  /** Steps of training; of models by name, their place. */
  readonly step: number;
  readonly title: string;
  /** A name of all that decides what the model answers. */
  readonly id: string;
  open(): Promise<StudiedPolicy>;
}

export interface Points extends Disposable {
  readonly points: readonly StudyPoint[];
}

/** The run's directory, where the study is of one. */
export async function runOf({ loaded }: Study): Promise<string | undefined> {
  if (!loaded) return undefined;
  const directory = runDirectory(loaded, undefined);
  return (await stat(join(directory, "run.json")).catch(() => undefined)) && directory;
}

/** Weights are loaded when a point is opened; those of a run take turns in one model. */
export async function pointsOfRun(device: Device, study: Study, run: string): Promise<Points> {
  const { model, grpo } = study.loaded!.config;
  const checkpoints = await listCheckpoints(join(run, "checkpoints"));
  let policy: QwenVLPolicy | undefined;
  const begin = async (): Promise<QwenVLPolicy> => {
    policy?.model.dispose();
    policy = await openPolicy(device, model, { seed: grpo.seed });
    return policy;
  };
  const studied = (of: QwenVLPolicy): StudiedPolicy => ({ policy: of, model: new DifferentiablePolicy(of) });
  const identified = await Promise.all(
    checkpoints.map(async ({ step, path }) => {
      const manifest = await readFile(join(path, "manifest.json"));
      return { step, path, id: createHash("sha256").update(manifest).digest("hex") };
    }),
  );
  return {
    points: [
      {
        step: 0,
        title: "step 0",
        id: JSON.stringify({ model, seed: grpo.seed }),
        open: async () => studied(await begin()),
      },
      ...identified.map(
        ({ step, path, id }): StudyPoint => ({
          step,
          title: `step ${step}`,
          id,
          async open() {
            const own = policy ?? (await begin());
            await loadCheckpoint(own, path);
            return studied(own);
          },
        }),
      ),
    ],
    [Symbol.dispose]: () => policy?.model.dispose(),
  };
}

/** Opened at once, as their contents name them. */
export async function pointsOfModels(device: Device, sources: readonly ModelSource[]): Promise<Points> {
  const opened: Awaited<ReturnType<typeof openTeacher>>[] = [];
  const dispose = (): void => {
    for (const one of opened) one.dispose();
  };
  try {
    for (const source of sources) opened.push(await openTeacher(device, source, {}));
  } catch (error) {
    dispose();
    throw error;
  }
  const points = opened.map(({ model, writer }, step): StudyPoint => {
    const { id, policy } = writer!;
    return {
      step,
      title: sources[step]!.directory ?? `model ${step}`,
      id,
      open: async () => ({ policy: policy as QwenVLPolicy, model }),
    };
  });
  return { points, [Symbol.dispose]: dispose };
}
