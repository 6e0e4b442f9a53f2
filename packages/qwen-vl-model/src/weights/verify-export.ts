// Does an exported directory give the numbers of the model that was exported?
import { gatherRows, linear, noGrad, RowIndex, scope, type Tensor } from "@iapo/tensor-core";
import { at } from "../checked.ts";
import { loadConfig } from "../config/model-config.ts";
import { QwenVLError } from "../error.ts";
import { mergedWeights } from "../lora/merge.ts";
import { QwenVLModel } from "../model/model.ts";
import { packGroups, type Sequence } from "../model/pack.ts";
import { loadWeights } from "./load.ts";

export interface ExportCheck {
  /** Rows whose logits were compared. */
  readonly rows: number;
  /**
   * Merging changes the order of sums, and rounds where weights are bf16: the largest difference from the logits of the adapter as it was
   * trained, over the largest logit.
   */
  readonly distance: number;
  /** Share of rows whose likeliest token is the same, in 0 to 1. */
  readonly topOneAgreement: number;
}

/** What merging may change where nothing is rounded. */
const F32_DISTANCE = 1e-5;
/** Logits are compared on the last rows only: a vocabulary of 152,000 takes 600 KB a row. */
const MAX_ROWS = 64;

/**
 * Loads `directory`, which holds an export of `model`, and compares logits on `probes`: they equal those of the merged and rounded weights
 * in memory to the bit, and lie near those of the model with its adapter unmerged. One further model is on the device at a time.
 * @throws QwenVLError `export` where bits differ, or where an f32 export is further than 1e-5 from the unmerged adapter; and what
 * `loadConfig` and `loadWeights` throw.
 */
export async function verifyExport(
  model: QwenVLModel,
  directory: string,
  probes: readonly Sequence[],
): Promise<ExportCheck> {
  const { device, config, weights, adapter } = model;
  const unmerged = await probeLogits(model, probes);
  const expected = await withModel(new QwenVLModel(config, mergedWeights(weights, adapter)), probes);
  const loadedConfig = await loadConfig(directory);
  const loaded = await withModel(
    new QwenVLModel(loadedConfig, await loadWeights(device, loadedConfig, directory)),
    probes,
  );
  const different = differentWords(expected.values, loaded.values);
  if (different > 0) {
    throw new QwenVLError(
      "export",
      `${directory}: ${different} of ${expected.values.length} logits differ from those of the weights in memory; was the model changed, or the directory?`,
    );
  }
  const check = compare(unmerged, loaded);
  if (weights.dtype === "f32" && !(check.distance <= F32_DISTANCE)) {
    throw new QwenVLError(
      "export",
      `${directory}: merging the adapter moved the logits by ${check.distance.toExponential(1)} of the largest, more than ${F32_DISTANCE}`,
    );
  }
  return check;
}

interface Logits {
  readonly vocabulary: number;
  /** `[rows, vocabulary]`. */
  readonly values: Float32Array;
}

async function withModel(model: QwenVLModel, probes: readonly Sequence[]): Promise<Logits> {
  try {
    return await probeLogits(model, probes);
  } finally {
    model.dispose();
  }
}

async function probeLogits(model: QwenVLModel, probes: readonly Sequence[]): Promise<Logits> {
  const { device, config } = model;
  const batch = packGroups(
    config,
    probes.map((prompt) => ({ prompt, responses: [] })),
  );
  const uploaded = model.upload(batch);
  try {
    const count = batch.tokens.length;
    const rows = Array.from({ length: Math.min(count, MAX_ROWS) }, (_, i) => count - 1 - i);
    using logits = noGrad(() =>
      scope((): Tensor => {
        const hidden = model.hidden(model.embed(uploaded), uploaded);
        return linear(gatherRows(hidden, RowIndex.of(device, rows, count)), model.head);
      }),
    );
    return { vocabulary: config.text.vocabSize, values: (await logits.values()) as Float32Array };
  } finally {
    model.release(uploaded);
  }
}

function differentWords(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Math.max(a.length, b.length);
  const [x, y] = [a, b].map(({ buffer }) => new Uint32Array(buffer)) as [Uint32Array, Uint32Array];
  let count = 0;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) count++;
  return count;
}

function compare({ vocabulary, values }: Logits, got: Logits): ExportCheck {
  let largest = 0;
  let difference = 0;
  values.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - at(got.values, i)));
  });
  const rows = values.length / vocabulary;
  const agreeing = Array.from({ length: rows }, (_, row) => {
    const [a, b] = [values, got.values].map((all) => likeliest(all.subarray(row * vocabulary, (row + 1) * vocabulary)));
    return a === b;
  });
  return { rows, distance: difference / largest, topOneAgreement: agreeing.filter(Boolean).length / rows };
}

function likeliest(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY));
}
