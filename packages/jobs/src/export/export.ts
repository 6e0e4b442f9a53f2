// A checkpoint of a run as a Hugging Face directory, the adapter merged; it is there when its numbers were checked.
import { rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { listCheckpoints, loadCheckpoint, readRunState } from "@iapo/grpo";
import { checkContent } from "@iapo/grpo/run-directory";
import {
  encodeConversation,
  exportModel,
  modelDirectory,
  QwenVLPolicy,
  type Sequence,
  verifyExport,
} from "@iapo/qwen-vl-model";
import { besideOf, makeDirectory, removeAbandoned } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { JobsError } from "../error.ts";
import { modelContent, recordedModel } from "../parts/model-content.ts";
import { onDevice } from "../parts/on-device.ts";
import { type RecordedRun, readRecordedRun } from "../run/recorded-run.ts";

export interface ExportOptions {
  /** Default: the best one where the run evaluated, else the last. */
  readonly which?: "best" | "last" | number | undefined;
  /** Default: as the run held its matrices. */
  readonly dtype?: "bf16" | "f32" | undefined;
  /** In place of the model's directory that the run names, where that was moved. */
  readonly model?: string | undefined;
  /** Default: one that is opened for this. */
  readonly device?: Device | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Exported {
  readonly checkpoint: string;
  /** Trained tensors in it. */
  readonly tensors: number;
  readonly dtype: "bf16" | "f32";
  /** `int8`: the adapter was trained on projections in eight bits, and it is those, widened, that it was merged into. */
  readonly base: "int8" | undefined;
  /** Rows of logits that are equal to the bit after reloading. */
  readonly rows: number;
  /** How far merging moved logits, as a part of the largest. */
  readonly distance: number;
  /** Part of the rows in which the likeliest token is the same after merging. */
  readonly topOneAgreement: number;
}

/**
 * @param source a run's directory, or one checkpoint of it
 * @param out a new directory, which appears when it is whole
 * @throws JobsError `exists`, `missing`, `invalid`, `argument`; GrpoError `differs` where the model is not the one that the run began with
 */
export async function exportCheckpoint(source: string, out: string, options: ExportOptions = {}): Promise<Exported> {
  const chosen = await choose(source, options.which);
  const target = resolve(out);
  if (await stat(target).catch(() => undefined)) throw new JobsError("exists", `${out} is there already`);
  return onDevice(options.device, (device) => exportOn(device, chosen, target, options));
}

interface Chosen {
  readonly run: RecordedRun;
  readonly checkpoint: string;
}

/** After an error nothing is left. */
async function exportOn(device: Device, chosen: Chosen, target: string, options: ExportOptions): Promise<Exported> {
  const unchecked = besideOf(target);
  await removeAbandoned(dirname(target), basename(target));
  const made = await makeDirectory(unchecked); // a place that cannot be written is told before the work
  try {
    const exported = await exportTo(unchecked, device, chosen, options);
    await rename(unchecked, target);
    return exported;
  } catch (error) {
    await rm(unchecked, { recursive: true, force: true });
    for (const above of made.slice(0, -1).toReversed()) await rmdir(above).catch(() => undefined); // it is in use
    throw error;
  }
}

async function exportTo(
  directory: string,
  device: Device,
  { run, checkpoint }: Chosen,
  { signal, ...options }: ExportOptions,
): Promise<Exported> {
  const { directory: named, hub, ...rest } = run.config.model;
  const commit = run.record.commits.model;
  const recorded =
    hub && commit !== undefined ? { ...run.config.model, hub: { ...hub, revision: commit } } : run.config.model;
  const model = options.model === undefined ? recorded : { ...rest, directory: options.model };
  const companions = await modelDirectory(model, { signal });
  const parts = { name: "model", weights: model.initialize === undefined, signal };
  const advice = "give the model that it began with";
  checkContent(companions, recordedModel(run.record, true), await modelContent(companions, parts), advice);
  const dtype = options.dtype ?? model.dtype;
  const policy = await QwenVLPolicy.load(device, model, { dtype, seed: run.config.grpo.seed, signal });
  try {
    await loadCheckpoint(policy, checkpoint);
    await exportModel(policy.model, directory, { companions });
    const { rows, distance, topOneAgreement } = await verifyExport(policy.model, directory, [await probe(policy)]);
    const tensors = policy.parameters.length;
    return {
      checkpoint,
      tensors,
      dtype: policy.model.weights.dtype,
      base: model.base,
      rows,
      distance,
      topOneAgreement,
    };
  } finally {
    policy.model.dispose();
  }
}

/** @throws JobsError `missing`, `argument` */
async function choose(source: string, which: ExportOptions["which"]): Promise<Chosen> {
  const path = resolve(source);
  const isCheckpoint = /^step-\d+$/.test(basename(path)) && basename(dirname(path)) === "checkpoints";
  const run = await readRecordedRun(isCheckpoint ? dirname(dirname(path)) : source);
  const all = await listCheckpoints(run.checkpoints);
  const steps = all.map(({ step }) => step).join(", ") || "none";
  const take = (step: number): string => {
    const found = all.find((one) => one.step === step);
    if (found) return found.path;
    throw new JobsError("missing", `${run.checkpoints} holds no checkpoint after ${step} steps; there are: ${steps}`);
  };
  if (isCheckpoint) {
    if (which !== undefined) throw new JobsError("argument", `${source} is one checkpoint: nothing is to be chosen`);
    return { run, checkpoint: take(Number(basename(path).slice("step-".length))) };
  }
  const last = all.at(-1);
  if (!last) throw new JobsError("missing", `${run.checkpoints} holds no checkpoint yet`);
  if (typeof which === "number") return { run, checkpoint: take(which) };
  const { best } = await readRunState(last.path);
  if (which === "best" && !best)
    throw new JobsError("missing", `${source} was not evaluated, so none of its steps is the best; take the last`);
  return { run, checkpoint: which === "last" || !best ? last.path : take(best.step) };
}

/** A prompt with a picture, so that both towers are checked. */
async function probe({ processor }: QwenVLPolicy): Promise<Sequence> {
  const { task } = await (await createNanoCharts({ seed: 0, names: "words" })).chart("test", 0);
  return encodeConversation(processor, [
    { role: "user", content: [{ image: task.content.image }, { text: `${task.content.question}\n` }] },
  ]);
}
