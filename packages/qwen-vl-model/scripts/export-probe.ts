// node --conditions=@iapo/source scripts/export-probe.ts <checkpoint> <export>: exports a checkpoint again, and writes beside the weights a
// probe.json: a prompt with an image, and our logits. tools/compare-with-transformers.py compares them with those of Hugging Face.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { linear, noGrad, openDevice, scope } from "@iapo/tensor-core";
import { loadConfig } from "../src/config.ts";
import { exportModel, loadWeights, packGroups, QwenVLModel } from "../src/index.ts";
import { ropePositions } from "../src/processor/positions.ts";
import { proceduralPixels } from "../test/support/procedural.ts";

const [checkpoint, directory] = process.argv.slice(2);
if (!checkpoint || !directory) throw new Error("usage: export-probe.ts <checkpoint> <export>");
using device = await openDevice();
const config = await loadConfig(checkpoint);
const model = new QwenVLModel(config, await loadWeights(device, config, checkpoint));
await exportModel(model, directory, { companions: checkpoint });

const { vision, tokens: special } = config;
const merge = vision.spatialMergeSize;
// Windows of more than one size: not square, no multiple of the window.
const grid = [1, 5 * merge, 6 * merge] as const;
const cells = new Array<number>(30).fill(special.image);
const text = Array.from({ length: 12 }, (_, i) => 10 + i);
const tokens = Int32Array.from([...text, special.visionStart, ...cells, special.visionEnd, ...text.toReversed()]);
const { positions } = ropePositions(tokens, [grid], special, merge, 0);
const patches = grid[1] * grid[2];
const values = proceduralPixels(patches * vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2);
const prompt = { tokens, positions, images: [{ id: "probe", grid, frames: vision.temporalPatchSize, values }] };
const uploaded = model.upload(packGroups(config, [{ prompt, responses: [] }]));
const logits = noGrad(() => scope(() => linear(model.hidden(model.embed(uploaded), uploaded), model.head)));
const last = (await logits.values()).subarray(-config.text.vocabSize);
const probe = {
  input_ids: [...tokens],
  position_ids: [0, 1, 2].map((axis) => [...positions.filter((_, i) => i % 3 === axis)]),
  pixel_values: Array.from({ length: patches }, (_, row) => [
    ...values.subarray((row * values.length) / patches, ((row + 1) * values.length) / patches),
  ]),
  image_grid_thw: [grid],
  last_logits: [...last],
};
await writeFile(join(directory, "probe.json"), JSON.stringify(probe));
logits.dispose();
model.release(uploaded);
model.dispose();
