// A model of the benchmarks' size "mini" that plays episodes: the larger nano teacher, grown by layers that write nothing yet.
import { baseDirectory, largeTeacherDirectory } from "@iapo/nano-vl";
import { exportModel, loadWeights, QwenVLModel } from "@iapo/qwen-vl-model";
import { loadConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { deriveSeed, openDevice } from "@iapo/tensor-core";
import { grownWeights } from "../recipes/nano/grow.ts";

/** 4.3 million parameters: 5 text layers of 192, 8 vision blocks of 128. */
export async function writeMini(directory: string): Promise<void> {
  using device = await openDevice();
  const config = await loadConfig(largeTeacherDirectory);
  const teacher = new QwenVLModel(config, await loadWeights(device, config, largeTeacherDirectory, { dtype: "f32" }));
  const { text, vision } = config;
  const mini: QwenVLConfig = {
    ...config,
    text: { ...text, numHiddenLayers: 5 },
    vision: { ...vision, depth: 8, hiddenSize: 128, numHeads: 8, intermediateSize: 340 },
  };
  const grown = new QwenVLModel(mini, await grownWeights(device, teacher, mini, deriveSeed(1, "mini")));
  await exportModel(grown, directory, { companions: baseDirectory });
  for (const model of [teacher, grown]) model.dispose();
}
