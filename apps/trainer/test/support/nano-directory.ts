// A nano model with random weights as a checkpoint directory.
import { baseDirectory } from "@iapo/nano-vl";
import { exportModel, initializeWeights, QwenVLModel } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { deriveSeed, openDevice } from "@iapo/tensor-core";

export async function nanoDirectory(directory: string): Promise<string> {
  using device = await openDevice();
  const config = await loadConfig(baseDirectory);
  const model = new QwenVLModel(config, initializeWeights(device, config, deriveSeed("nano-directory", 1)));
  await exportModel(model, directory, { companions: baseDirectory });
  model.dispose();
  return directory;
}
