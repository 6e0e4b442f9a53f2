// A model whose images enter at several places (Qwen3-VL) against scores by hand in PyTorch (fixtures of qwen-vl-model), and what must hold of any.
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
import { type Device, openDevice, record, scope, sum } from "@iapo/tensor-core";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attributeBlocks, attributeGroups, attributeTokens } from "../src/index.ts";
import { largestDifference } from "./support/golden.ts";
import { responsesLike } from "./support/nano.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`./test/fixtures/qwen3-vl/${name}`, import.meta.resolve("@iapo/qwen-vl-model/package.json")));
const PREFIX = "nano.A";
const RESPONSE = 8;

let device: Device;
let model: DifferentiableQwenVL;
let golden: (name: string) => Float32Array;
let group: PromptGroup;
let response: ResponseSequence;

beforeAll(async () => {
  device = await openDevice();
  device.warn = () => {}; // of integrated gradients with few steps
  const config = await loadConfig(fixture("nano"));
  model = new DifferentiableQwenVL(
    new QwenVLModel(config, await loadWeights(device, config, fixture("nano"), { dtype: "f32" })),
  );
  const values = await tensorsOf(fixture("golden.safetensors"));
  golden = (name) => values.get(`${PREFIX}.${name}`)!;
  ({ group, response } = goldenGroup());
});
afterAll(() => {
  model.model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

async function tensorsOf(file: string): Promise<Map<string, Float32Array>> {
  await using reader = await openSafetensors(file);
  const read = new Map<string, Float32Array>();
  for (const { name, dtype } of reader.tensors.values()) {
    if (!name.startsWith(PREFIX)) continue;
    const { buffer } = await reader.read(name);
    read.set(name, Float32Array.from(dtype === "I32" ? new Int32Array(buffer) : new Float32Array(buffer)));
  }
  return read;
}

/** The oracle's sequence, of which the last tokens are the response. */
function goldenGroup(): { group: PromptGroup; response: ResponseSequence } {
  const tokens = Int32Array.from(golden("input_ids"));
  const positions = golden("position_ids");
  const grids = golden("grids");
  const pixels = golden("pixels");
  const count = tokens.length;
  const cut = (start: number, end: number) => ({
    tokens: tokens.slice(start, end),
    positions: Int32Array.from(
      { length: 3 * (end - start) },
      (_, i) => positions[(i % 3) * count + start + Math.floor(i / 3)]!,
    ),
  });
  let patch = 0;
  const width = 3 * model.model.config.vision.patchSize ** 2;
  const images = [0, 1].map((k): EncodedImage => {
    const grid = [1, grids[3 * k + 1]!, grids[3 * k + 2]!] as const;
    const first = patch;
    patch += grid[1] * grid[2];
    return { id: `image ${k}`, grid, frames: 1, values: pixels.slice(first * width, patch * width) };
  });
  const behind = cut(count - RESPONSE, count);
  const only = { ...behind, images: [], targets: new Uint8Array(RESPONSE).fill(1) };
  return { group: { prompt: { ...cut(0, count - RESPONSE), images }, responses: [only] }, response: only };
}

function expectNear(values: ArrayLike<number>, name: string, tolerance: number): void {
  const expected = golden(`attribution.${name}`);
  const largest = Math.max(...expected.map(Math.abs));
  expect(largestDifference(values, expected) / largest, name).toBeLessThan(tolerance);
}

describe("against PyTorch", () => {
  test("gradient x embedding and the gradient's norm count all places where an image enters", async () => {
    const [dot] = await attributeTokens(model, group, { kind: "grad_x_input" });
    expectNear(dot!.tokenScores, "grad_x_input", 1e-5);
    expectNear([dot!.targetLogProb], "score", 1e-5);
    const [norm] = await attributeTokens(model, group, { kind: "grad_norm" });
    expectNear(norm!.tokenScores, "grad_norm", 1e-5);
    // The embedding alone would say something else.
    const alone = golden("attribution.grad_x_embedding");
    expect(largestDifference(dot!.tokenScores, alone)).toBeGreaterThan(0.1);
  });

  test("integrated gradients move all of them along one path, and are complete", async () => {
    const [result] = await attributeTokens(model, group, { kind: "ig", baseline: "pad", steps: 32 });
    expectNear(result!.tokenScores, "integrated_gradients", 1e-4);
    const [score, baseline] = [golden("attribution.score")[0]!, golden("attribution.baseline_score")[0]!];
    const sum = result!.tokenScores.reduce((a, b) => a + b);
    expect(Math.abs(sum - (score - baseline))).toBeLessThan(2e-3);
    expect(Math.abs(result!.convergence!.relative)).toBeLessThan(1e-4);
  });

  test("an occluded image is gone from all of them", async () => {
    const { tokens } = group.prompt;
    const image = tokens.indexOf(model.model.config.tokens.image);
    const partition = {
      names: ["rest", "first image"],
      unitOfToken: Int16Array.from(tokens, (_, i) => Number(i >= image && i < image + 6)),
    };
    const [result] = await attributeBlocks(model, group, partition, { kind: "occlusion", baseline: "mean" });
    const [score, occluded] = [golden("attribution.score")[0]!, golden("attribution.occluded")[0]!];
    expect(Math.abs(result!.blockScores[1]! - (score - occluded))).toBeLessThan(1e-4);
    expect(Math.abs(occluded - golden("attribution.occluded_embedding_alone")[0]!)).toBeGreaterThan(0.01);
  });
});

test("no score depends on what is packed with it, or on what is computed again, to the bit", async () => {
  const responses = [response, ...responsesLike(response)];
  const more = { ...group, responses };
  const recomputing = new DifferentiableQwenVL(model.model, { checkpoint: true });
  for (const method of [{ kind: "grad_x_input" }, { kind: "grad_norm" }, { kind: "ig", steps: 3 }] as const) {
    const together = await attributeTokens(model, more, method);
    const [alone] = await attributeTokens(model, group, method);
    expect(together[0]).toEqual(alone);
    expect(await attributeTokens(recomputing, more, method)).toEqual(together);
  }
  const partition = {
    names: ["a", "b", "c", "d"],
    unitOfToken: Int16Array.from(group.prompt.tokens, (_, i) => Math.floor((4 * i) / group.prompt.tokens.length)),
  };
  for (const baseline of ["mean", "mean_by_kind", "pad", "zero"] as const) {
    const together = await attributeBlocks(model, more, partition, { kind: "occlusion", baseline });
    const [alone] = await attributeBlocks(model, group, partition, { kind: "occlusion", baseline });
    expect(together[0]).toEqual(alone);
  }
});

test("a prompt without images shares passes with one that has them, and gets the scores it has alone", async () => {
  const text = {
    tokens: Int32Array.of(20, 31, 42, 53),
    positions: Int32Array.from({ length: 12 }, (_, i) => Math.floor(i / 3)),
    images: [],
  };
  const other: PromptGroup = {
    prompt: text,
    responses: [{ ...response, positions: response.positions.map((_, i) => 4 + Math.floor(i / 3)) }],
  };
  const halves = ({ prompt }: PromptGroup) => ({
    names: ["a", "b"],
    unitOfToken: Int16Array.from(prompt.tokens, (_, i) => Number(i > 1)),
  });
  for (const method of [{ kind: "grad_x_input" }, { kind: "occlusion" }] as const) {
    const both = await attributeGroups(
      model,
      [group, other].map((input) => ({ input, partition: halves(input) })),
      method,
    );
    for (const [i, input] of [group, other].entries()) {
      expect(both[i]).toEqual(await attributeBlocks(model, input, halves(input), method));
    }
  }
});

test("text has no features, and no gradient by any", async () => {
  const embedded = model.embed(group);
  const { hiddenSize } = model.model.config.text;
  const [rows = 0, width = 0] = embedded.embeddings.shape;
  expect(width).toBe(4 * hiddenSize);
  const { values, gradient } = scope(() => {
    const recorded = record([embedded.embeddings], () =>
      scope(() => {
        return sum(model.score(model.prefill([{ embedded, firstToken: 0, rows: embedded.embeddings }])));
      }),
    );
    return { values: embedded.embeddings.alias(), gradient: recorded.backward(recorded.value)[0]! };
  });
  const [x, g] = [await values.values(), await gradient.values()];
  for (let row = 0; row < rows; row++) {
    const isImage = embedded.imageOfToken[row]! >= 0;
    for (const part of [x, g]) {
      const features = part.subarray(row * width + hiddenSize, (row + 1) * width);
      expect(features.some((value) => value !== 0)).toBe(isImage);
    }
  }
  for (const tensor of [values, gradient]) tensor.dispose();
  embedded.dispose();
});

test("prompts that end in an image, and responses that hold one, are refused", () => {
  const { prompt } = group;
  const count = prompt.tokens.lastIndexOf(model.model.config.tokens.image) + 1;
  const cut = { ...prompt, tokens: prompt.tokens.slice(0, count), positions: prompt.positions.slice(0, 3 * count) };
  expect(() => model.embed({ prompt: cut, responses: group.responses })).toThrow("a prompt that ends in text");
  const [image] = prompt.images;
  const tokens = new Int32Array(7).fill(model.model.config.tokens.image);
  tokens[6] = 20;
  const shown = { tokens, positions: new Int32Array(21), targets: new Uint8Array(7).fill(1), images: [image!] };
  expect(() => model.embed({ prompt, responses: [shown] })).toThrow("responses without images");
});
