// iapo export: a checkpoint of a run as a Hugging Face directory, the adapter merged; it is there when its numbers were checked.
import { randomUUID } from "node:crypto";
import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { listCheckpoints, loadCheckpoint, readRunState } from "@iapo/grpo";
import { checkContent } from "@iapo/grpo/run-directory";
import { modelContent, type RecordedRun, readRecordedRun, recordedModel } from "@iapo/jobs";
import {
  encodeConversation,
  exportModel,
  modelDirectory,
  QwenVLPolicy,
  type Sequence,
  verifyExport,
} from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export interface ExportOptions {
  /** A run, or one checkpoint of it. */
  readonly source: string;
  readonly out: string;
  /** Default: the best one where the run evaluated, else the last. */
  readonly which?: "best" | "last" | number | undefined;
  readonly dtype?: "bf16" | "f32" | undefined;
  /** In place of the model's directory that the run names, where that was moved. */
  readonly model?: string | undefined;
}

export async function exportCheckpoint(options: ExportOptions, { out, note, signal }: CliIo): Promise<number> {
  const { run, checkpoint } = await choose(options);
  const target = resolve(options.out);
  if (await stat(target).catch(() => undefined))
    throw new TrainerError("exists", `${options.out} is there already; choose another --out`);
  using device = await openDevice();
  const { directory, hub, ...rest } = run.config.model;
  const commit = run.record.commits.model;
  const recorded =
    hub && commit !== undefined ? { ...run.config.model, hub: { ...hub, revision: commit } } : run.config.model;
  const model = options.model === undefined ? recorded : { ...rest, directory: options.model };
  const companions = await modelDirectory(model, { signal });
  const parts = { name: "model", weights: model.initialize === undefined, signal };
  const advice = "give the model that it began with by --model";
  checkContent(companions, recordedModel(run.record, true), await modelContent(companions, parts), advice);
  const dtype = options.dtype ?? model.dtype;
  const policy = await QwenVLPolicy.load(device, model, { dtype, seed: run.config.grpo.seed, signal });
  try {
    await loadCheckpoint(policy, checkpoint);
    note(`${checkpoint}: ${policy.parameters.length} tensors`);
    const unchecked = `${target}.${randomUUID()}.unchecked`;
    try {
      await exportModel(policy.model, unchecked, { companions });
      const { rows, distance, topOneAgreement } = await verifyExport(policy.model, unchecked, [await probe(policy)]);
      await rename(unchecked, target);
      out(`${options.out}: ${policy.model.weights.dtype}, from ${checkpoint}`);
      out(
        `${rows} rows of logits equal to the bit after reloading; merging moved them by ${distance.toExponential(1)} of the largest, the likeliest token is the same in ${(100 * topOneAgreement).toFixed(1)} %`,
      );
    } finally {
      await rm(unchecked, { recursive: true, force: true });
    }
  } finally {
    policy.model.dispose();
  }
  return ExitCode.done;
}

/** @throws TrainerError `missing`, `argument` */
async function choose({ source, which }: ExportOptions): Promise<{ run: RecordedRun; checkpoint: string }> {
  const path = resolve(source);
  const isCheckpoint = /^step-\d+$/.test(basename(path)) && basename(dirname(path)) === "checkpoints";
  const run = await readRecordedRun(isCheckpoint ? dirname(dirname(path)) : source);
  const all = await listCheckpoints(run.checkpoints);
  const steps = all.map(({ step }) => step).join(", ") || "none";
  const take = (step: number): string => {
    const found = all.find((one) => one.step === step);
    if (found) return found.path;
    throw new TrainerError(
      "missing",
      `${run.checkpoints} holds no checkpoint after ${step} steps; there are: ${steps}`,
    );
  };
  if (isCheckpoint) {
    if (which !== undefined) throw new TrainerError("argument", `${source} is one checkpoint: nothing is to be chosen`);
    return { run, checkpoint: take(Number(basename(path).slice("step-".length))) };
  }
  const last = all.at(-1);
  if (!last) throw new TrainerError("missing", `${run.checkpoints} holds no checkpoint yet`);
  if (typeof which === "number") return { run, checkpoint: take(which) };
  const { best } = await readRunState(last.path);
  if (which === "best" && !best)
    throw new TrainerError("missing", `${source} was not evaluated, so none of its steps is the best; take --last`);
  return { run, checkpoint: which === "last" || !best ? last.path : take(best.step) };
}

/** A prompt with a picture, so that both towers are checked. */
async function probe({ processor }: QwenVLPolicy): Promise<Sequence> {
  const { task } = await (await createNanoCharts({ seed: 0, names: "words" })).chart("test", 0);
  return encodeConversation(processor, [
    { role: "user", content: [{ image: task.content.image }, { text: `${task.content.question}\n` }] },
  ]);
}
