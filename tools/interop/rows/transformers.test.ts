// Directories that we export load in transformers and say the same there; those that transformers 4 and 5 save load here.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { qwen3BaseDirectory, studentDirectory } from "@iapo/nano-vl";
import {
  encodeConversation,
  exportModel,
  ImageStore,
  loadModel,
  loadWeights,
  QwenVLModel,
  type Sequence,
} from "@iapo/qwen-vl-model";
import { knownConfigs, loadConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { identifyImage } from "@iapo/rollout-trace";
import { type Device, openDevice } from "@iapo/tensor-core";
import { writeImage } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { afterAll, beforeAll, expect, test } from "vitest";
import { activeAdapter } from "../../../packages/qwen-vl-model/test/support/adapter.ts";
import {
  proceduralPixels,
  proceduralWeights,
  smallRangeOf,
} from "../../../packages/qwen-vl-model/test/support/procedural.ts";
import { greedy, logitsOf, probeOf } from "../probes.ts";
import { figure, relative, runPython, transformers4, unpacked } from "../python.ts";

interface Answers {
  readonly version: string;
  readonly read: readonly {
    readonly logits: string;
    readonly greedy: readonly number[];
    readonly type: string;
    readonly ids?: readonly number[];
    readonly grids?: readonly (readonly number[])[];
    readonly patches?: string;
  }[];
  readonly written: readonly { readonly logits: string }[];
}

/** A directory of ours, and what we say of its prompt. */
interface Exported {
  readonly name: string;
  readonly directory: string;
  readonly prompt: Sequence;
  /** Compared from the end; all where it is left out. */
  readonly rows: number | null;
  readonly logits: Float32Array;
  readonly greedy: readonly number[];
  /** Through the processor of the directory. */
  readonly asked?: { readonly image: string; readonly text: string };
}

const TOLERANCE = 1e-4;
const TOKENS = 16;
let device: Device;
let folder: string;
const exported: Exported[] = [];
let answers: Answers;
let answers4: Answers;
let chart: { readonly image: Parameters<typeof writeImage>[1]; readonly text: string; readonly file: string };

/** What transformers writes, from which of ours. */
const written = [
  { name: "one file", of: "nano", dtype: "float32" },
  { name: "shards", of: "nano", dtype: "float32", shard: "300KB" },
  { name: "bfloat16", of: "nano", dtype: "bfloat16" },
  { name: "float16", of: "nano", dtype: "float16" },
  { name: "resized embedding", of: "nano", dtype: "float32", addTokens: 16 },
  { name: "Qwen3-VL in shards", of: "qwen3-nano, merged adapter", dtype: "float32", shard: "300KB" },
  { name: "Qwen3-VL, resized, bfloat16", of: "qwen3-nano, merged adapter", dtype: "bfloat16", addTokens: 16 },
] as const;

beforeAll(async () => {
  device = await openDevice();
  folder = await mkdtemp(join(tmpdir(), "iapo-interop-"));
  const { task } = await (await createNanoCharts({ seed: 3, names: "words" })).chart("test", 1);
  chart = { image: task.content.image, text: `${task.content.question}\n`, file: join(folder, "chart.png") };
  await writeImage(chart.file, chart.image);

  const student = await loadModel(device, studentDirectory, { dtype: "f32" }); // merging rounds to bf16 else
  const prompt = await chartPrompt(studentDirectory);
  await add("nano", student.model, { prompt, companions: studentDirectory });
  student.model.adapter = activeAdapter(student.model);
  await add("nano, merged adapter", student.model, { prompt, companions: studentDirectory });
  student.dispose();

  const qwen3 = await loadConfig(qwen3BaseDirectory);
  const nano3 = new QwenVLModel(qwen3, await proceduralWeights(device, qwen3, { dtype: "f32", ranges: smallRangeOf }));
  nano3.adapter = activeAdapter(nano3, { rank: 2, alpha: 4, targets: "all-linear" });
  const prompt3 = await chartPrompt(qwen3BaseDirectory);
  await add("qwen3-nano, merged adapter", nano3, { prompt: prompt3, companions: qwen3BaseDirectory });
  nano3.dispose();

  for (const [name, config] of wide) {
    const model = new QwenVLModel(config, await proceduralWeights(device, config));
    await add(name, model, { prompt: widePrompt(config), rows: 2 });
    model.dispose();
  }

  const read = exported.map(({ directory, prompt, rows, asked }) => ({
    directory,
    rows,
    tokens: TOKENS,
    probe: probeOf(prompt),
    ...asked,
  }));
  const write = (version: string) =>
    written.map(({ of, name: _, ...rest }, i) => {
      const source = exported.find(({ name }) => name === of)!;
      const probe = probeOf(source.prompt);
      return { ...rest, from: source.directory, to: join(folder, `${version}-${i}`), probe, rows: null };
    });
  answers = await runPython("transformers_both_ways", { read, write: write("5") });
  const small = read.filter((_, i) => !exported[i]!.name.includes("widths"));
  answers4 = await runPython(
    "transformers_both_ways",
    { read: small.map(({ image: _, ...rest }) => rest), write: write("4") },
    transformers4,
  );
});
afterAll(async () => {
  device.close();
  await rm(folder, { recursive: true, force: true });
});

/** Widths of the 3B and of Qwen3-VL's 2B, two layers of each tower, a small vocabulary. */
const wide: readonly (readonly [string, QwenVLConfig])[] = [
  ["3B widths", twoLayers(knownConfigs["3B"], { fullAttentionBlocks: [1] })],
  ["Qwen3-VL 2B widths", twoLayers(knownConfigs["qwen3-vl-2B"], { deepstackBlocks: [0, 1] })],
];

function twoLayers(config: QwenVLConfig, vision: object): QwenVLConfig {
  const tokens = { image: 4001, video: 4002, visionStart: 4003, visionEnd: 4004, bos: 4005, eos: [4006], pad: 4007 };
  return {
    ...config,
    tokens: { ...config.tokens, ...tokens },
    text: { ...config.text, numHiddenLayers: 2, vocabSize: 4096 },
    vision: { ...config.vision, depth: 2, ...vision },
  };
}

/** Of the chart's patches by the processor of a directory, both frames. */
async function patchesHash(directory: string): Promise<string> {
  return new ImageStore(await loadProcessor(directory)).get(await identifyImage(chart.image)).patchesId;
}

async function chartPrompt(directory: string): Promise<Sequence> {
  const processor = await loadProcessor(directory);
  return encodeConversation(processor, [{ role: "user", content: [{ image: chart.image }, { text: chart.text }] }]);
}

/** Ids and patches that no processor made. */
function widePrompt({ vision, tokens }: QwenVLConfig): Sequence {
  const grid = [1, 8, 6] as const;
  const words = (from: number) => Array.from({ length: 10 }, (_, i) => 100 + (((i + from) * 7919) % 3000));
  const cells = new Array<number>(12).fill(tokens.image);
  const ids = [...words(0), tokens.visionStart, ...cells, tokens.visionEnd, ...words(50)];
  const place = ids.indexOf(tokens.image);
  const positions = ids.flatMap((_, i) => {
    if (i < place) return [i, i, i];
    if (i < place + 12) return [place, place + Math.floor((i - place) / 3), place + ((i - place) % 3)];
    const after = i - 12 + 4;
    return [after, after, after];
  });
  const values = proceduralPixels(48 * 3 * vision.patchSize ** 2);
  return {
    tokens: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    images: [{ id: "wide", grid, frames: 1, values }],
  };
}

async function add(
  name: string,
  model: QwenVLModel,
  { prompt, rows = null, companions }: { prompt: Sequence; rows?: number | null; companions?: string },
): Promise<void> {
  const directory = join(folder, name.replace(/\W+/g, "-"));
  await exportModel(model, directory, { companions });
  exported.push({
    ...{ name, directory, prompt, rows },
    logits: await logitsOf(model, prompt, rows ?? undefined),
    greedy: await greedy(model, prompt, TOKENS),
    ...(companions !== undefined && { asked: { image: chart.file, text: chart.text } }),
  });
}

const names = ["nano", "nano, merged adapter", "qwen3-nano, merged adapter", ...wide.map(([name]) => name)];

test.each(names)("exported: %s", async (name) => {
  for (const { version, read } of [answers, answers4]) {
    const at = exported.findIndex((one) => one.name === name);
    const [ours, theirs] = [exported[at]!, read[at]];
    if (!theirs) continue; // the wide ones go through one version
    const error = relative(ours.logits, unpacked(theirs.logits));
    figure(`exported ${name}, transformers ${version}`, error);
    expect(error).toBeLessThan(TOLERANCE);
    expect(theirs.greedy).toEqual(ours.greedy);
    if (theirs.ids === undefined) continue;
    expect(theirs.ids).toEqual([...ours.prompt.tokens]);
    expect(theirs.grids).toEqual(ours.prompt.images.map(({ grid }) => [...grid]));
    expect(theirs.patches).toBe(await patchesHash(ours.directory));
  }
  expect(answers.read.filter(({ patches }) => patches !== undefined)).toHaveLength(3);
});

test.each(["4", "5"])("saved by transformers %s", async (version) => {
  const { written: theirs, version: full } = version === "5" ? answers : answers4;
  expect(full.startsWith(version)).toBe(true);
  for (const [i, { name, of, ...rest }] of written.entries()) {
    const directory = join(folder, `${version}-${i}`);
    const shards = (await readdir(directory)).filter((file) => file.endsWith(".safetensors"));
    if ("shard" in rest) expect(shards.length).toBeGreaterThan(2);
    else expect(shards).toEqual(["model.safetensors"]);
    const config = await loadConfig(directory);
    const base = exported.find((one) => one.name === of)!;
    const more = "addTokens" in rest ? rest.addTokens : 0;
    expect(config.text.vocabSize).toBe((await loadConfig(base.directory)).text.vocabSize + more);
    const model = new QwenVLModel(config, await loadWeights(device, config, directory));
    const error = relative(await logitsOf(model, base.prompt), unpacked(theirs[i]!.logits));
    model.dispose();
    figure(`saved by transformers ${full}: ${name}`, error);
    expect(error, name).toBeLessThan(TOLERANCE);
  }
});
