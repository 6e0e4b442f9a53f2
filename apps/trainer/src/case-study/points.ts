// The models of a case study, one after the other: a run's beginning and its checkpoints, or models by name.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { listCheckpoints, loadCheckpoint } from "@iapo/grpo";
import type { StudyPoint } from "@iapo/iapo/study";
import { type Job, openTeacher } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { Device } from "@iapo/tensor-core";
import type { Study } from "../compose/study.ts";

export interface Points extends Disposable {
  readonly points: readonly StudyPoint[];
}

/** The run, where the study is of one. */
export async function runOf({ job }: Study): Promise<Job | undefined> {
  const found = job && (await stat(join(job.directory, "run.json")).catch(() => undefined));
  return found && job;
}

/** Weights are loaded when a point is opened; those of a run take turns in one model. */
export async function pointsOfRun(device: Device, { directory, config }: Job): Promise<Points> {
  const { model, grpo } = config;
  const checkpoints = await listCheckpoints(join(directory, "checkpoints"));
  let policy: QwenVLPolicy | undefined;
  const begin = async (): Promise<QwenVLPolicy> => {
    policy?.model.dispose();
    policy = await QwenVLPolicy.load(device, model, { seed: grpo.seed });
    return policy;
  };
  const studied = (of: QwenVLPolicy) => ({ policy: of, model: of.differentiable() });
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
  const points: (StudyPoint & Disposable)[] = [];
  const dispose = (): void => {
    for (const point of points) point[Symbol.dispose]();
  };
  try {
    for (const [step, source] of sources.entries()) points.push(await pointOfModel(device, source, step));
  } catch (error) {
    dispose();
    throw error;
  }
  return { points, [Symbol.dispose]: dispose };
}

/** Opened at once; the caller disposes it. */
export async function pointOfModel(
  device: Device,
  source: ModelSource,
  step: number,
): Promise<StudyPoint & Disposable> {
  const { model, writer, dispose } = await openTeacher(device, source, {});
  return {
    step,
    title: source.directory ?? `model ${step}`,
    id: writer.id,
    open: async () => ({ policy: writer.policy, model }),
    [Symbol.dispose]: dispose,
  };
}
