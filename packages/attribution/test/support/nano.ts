// The oracle's models on a device, and its prompt with the response behind it.
import { fileURLToPath } from "node:url";
import {
  DifferentiableQwenVL,
  type EncodedImage,
  loadWeights,
  type PromptGroup,
  QwenVLModel,
  type ResponseSequence,
} from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import type { Device } from "@iapo/tensor-core";
import type { DifferentiableModel } from "../../src/index.ts";
import { type GoldenTensors, golden } from "./golden.ts";

const directories = {
  student: new URL("./test/fixtures/model-nano/", import.meta.resolve("@iapo/qwen-vl-model/package.json")),
  teacher: new URL("../fixtures/teacher/", import.meta.url),
};
export type GoldenModel = keyof typeof directories;

export async function loadGoldenModel(
  device: Device,
  name: GoldenModel,
): Promise<DifferentiableModel<PromptGroup> & { readonly model: QwenVLModel }> {
  const directory = fileURLToPath(directories[name]);
  const config = await loadConfig(directory);
  return new DifferentiableQwenVL(new QwenVLModel(config, await loadWeights(device, config, directory)));
}

export interface Golden {
  /** The prompt with its one response; `targets` marks the oracle's span. */
  readonly group: PromptGroup;
  readonly response: ResponseSequence;
}

export function goldenGroup(tensors: GoldenTensors, name: GoldenModel): Golden {
  const tokens = Int32Array.from(tensors("input_ids").values);
  const positions = tensors(`${name}.position_ids`).values;
  const [from, to] = golden.target_span;
  const cut = (start: number, end: number) => ({
    tokens: tokens.slice(start, end),
    positions: Int32Array.from(
      { length: 3 * (end - start) },
      (_, i) => positions[(i % 3) * tokens.length + start + Math.floor(i / 3)]!,
    ),
  });
  const [t, h, w] = tensors("image_grid_thw").values as unknown as [number, number, number];
  const image: EncodedImage = {
    id: "image",
    grid: [t, h, w],
    frames: 2,
    values: Float32Array.from(tensors("pixel_values").values),
  };
  const behind = cut(golden.prompt_length, tokens.length);
  const targets = Uint8Array.from(behind.tokens, (_, i) => {
    const token = golden.prompt_length + i;
    return Number(token >= from && token < to);
  });
  const response = { ...behind, images: [], targets };
  return { group: { prompt: { ...cut(0, golden.prompt_length), images: [image] }, responses: [response] }, response };
}

/** Made-up responses behind the same prompt, of different lengths; one wants its first token alone. */
export function responsesLike(response: ResponseSequence): ResponseSequence[] {
  const start = response.positions[0]!;
  return [9, 1, 14].map((length, variant) => {
    const axis = Array.from({ length }, (_, i) => start + i);
    return {
      tokens: Int32Array.from(axis, (_, i) => 20 + ((i * 31 + variant * 97) % 400)),
      positions: Int32Array.from(axis.flatMap((position) => [position, position, position])),
      images: [],
      targets: Uint8Array.from(axis, (_, i) => Number(i % 3 !== 1)),
    };
  });
}
