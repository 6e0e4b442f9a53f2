// Adapters on disk as PEFT has them: adapter_config.json and adapter_model.safetensors.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Device, withTag } from "@iapo/tensor-core";
import { openSafetensors, writeSafetensors } from "@iapo/tensor-core/safetensors";
import { z } from "zod";
import type { QwenVLConfig } from "../config/model-config.ts";
import { publishedName } from "../config/tensor-table.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { Adapter, type AdapterPair, targetsOf, trainable } from "./adapter.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

const configSchema = z.object({
  peft_type: z.literal("LORA"),
  r: z.int().min(1).max(4096),
  lora_alpha: z.number().positive(),
  bias: z.literal("none", { error: "only bias: none is supported" }).default("none"),
  use_dora: z.literal(false, { error: "DoRA is not supported" }).default(false),
  use_rslora: z.literal(false, { error: "rank-stabilised LoRA is not supported" }).default(false),
  rank_pattern: z.record(z.string(), z.never(), { error: "a rank per module is not supported" }).default({}),
  alpha_pattern: z.record(z.string(), z.never(), { error: "an alpha per module is not supported" }).default({}),
});

/** The name that current transformers has in memory, which PEFT's keys follow. */
function moduleName(name: string): string {
  return name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
}

/** Writes an adapter into a directory. `baseModel` goes into the configuration: where the base weights are. */
export async function saveAdapter(adapter: Adapter, directory: string, baseModel: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const sources = [...adapter.pairs].flatMap(([name, { a, b }]) =>
    [["lora_A", a.run] as const, ["lora_B", b.run] as const].map(([part, tensor]) => ({
      name: `${PREFIX}${moduleName(name)}.${part}.weight`,
      dtype: "F32" as const,
      shape: tensor.shape,
      data: async function* () {
        yield new Uint8Array((await tensor.values()).buffer);
      },
    })),
  );
  await writeSafetensors(join(directory, WEIGHTS), sources);
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: baseModel,
    r: adapter.options.rank,
    lora_alpha: adapter.options.alpha,
    lora_dropout: 0,
    bias: "none",
    inference_mode: true,
    target_modules: [...adapter.pairs.keys()].map(moduleName),
  };
  const file = join(directory, CONFIG);
  await writeFile(`${file}.partial`, `${JSON.stringify(config, null, 2)}\n`);
  await rename(`${file}.partial`, file);
}

/**
 * Loads an adapter that PEFT or `saveAdapter` wrote, with either naming of the modules.
 * @throws QwenVLError `config` for a configuration that is not plain LoRA, `tensors` where pairs do not fit the model; SafetensorsError.
 */
export async function loadAdapter(device: Device, config: QwenVLConfig, directory: string): Promise<Adapter> {
  const file = join(directory, CONFIG);
  const parsed = configSchema.safeParse(
    await readFile(file, "utf8")
      .then(JSON.parse)
      .catch((error: unknown) => {
        throw new QwenVLError("config", `${file} could not be read: ${reasonOf(error)}`);
      }),
  );
  if (!parsed.success) throw new QwenVLError("config", `${file}: ${z.prettifyError(parsed.error)}`);
  const { r: rank, lora_alpha: alpha } = parsed.data;
  await using reader = await openSafetensors(join(directory, WEIGHTS));
  const stored = new Map(
    [...reader.tensors.values()].map((info) => [publishedName(info.name.replace(PREFIX, "")), info]),
  );
  const names = new Set([...stored.keys()].map((name) => name.replace(/\.lora_[AB]\.weight$/, "")));
  const targets = targetsOf(config, { rank, alpha, targets: [...names] });
  const pairs = new Map<string, AdapterPair>();
  const load = async (key: string, shape: readonly [number, number]) => {
    const info = stored.get(key);
    stored.delete(key);
    if (!info || String(info.shape) !== String(shape) || info.dtype !== "F32") {
      throw new QwenVLError(
        "tensors",
        `${directory}: ${key} should be F32 [${shape}]${info ? `, not ${info.dtype} [${info.shape}]` : " but is missing"}`,
      );
    }
    const values = new Float32Array((await reader.read(info.name)).buffer);
    return trainable(
      key,
      withTag("adapter", () => device.tensor(values, shape)),
    );
  };
  try {
    for (const { name, out, input } of targets) {
      const a = await load(`${name}.lora_A.weight`, [rank, input]);
      pairs.set(name, { a, b: a });
      pairs.set(name, { a, b: await load(`${name}.lora_B.weight`, [out, rank]) });
    }
    if (stored.size > 0)
      throw new QwenVLError("tensors", `${directory}: ${[...stored.keys()][0]} belongs to no projection of this model`);
  } catch (error) {
    for (const { a, b } of pairs.values()) for (const { run } of [a, b]) run.dispose();
    throw error;
  }
  return new Adapter({ rank, alpha, targets: [...names] }, pairs);
}
