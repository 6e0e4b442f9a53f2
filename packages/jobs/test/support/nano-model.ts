// Nano models with random weights, as wide as trained ones, for commands that look at attributions.
import { baseDirectory } from "@iapo/nano-vl";
import { type ExportOptions, exportModel, initializeWeights, QwenVLModel } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { deriveSeed, openDevice } from "@iapo/tensor-core";

/** One directory for each seed. */
export async function nanoModels(
  directories: readonly string[],
  { maxShardBytes }: Pick<ExportOptions, "maxShardBytes"> = {},
): Promise<void> {
  using device = await openDevice();
  const config = await loadConfig(baseDirectory);
  for (const [seed, directory] of directories.entries()) {
    const weights = initializeWeights(device, config, deriveSeed("nano-models", seed), { deviation: "fan_in" });
    const model = new QwenVLModel(config, weights);
    await exportModel(model, directory, { companions: baseDirectory, maxShardBytes });
    model.dispose();
  }
}
