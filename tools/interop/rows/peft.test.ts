// Adapters that each side saves load in the other, and say the same there: ranks and alphas of single modules, rsLoRA, towers, whole matrices.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { qwen3BaseDirectory, studentDirectory } from "@iapo/nano-vl";
import {
  type AdapterOptions,
  encodeConversation,
  exportModel,
  loadAdapter,
  loadWeights,
  QwenVLModel,
  type Sequence,
  saveAdapter,
} from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { type Device, openDevice } from "@iapo/tensor-core";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { afterAll, beforeAll, expect, test } from "vitest";
import { activeAdapter } from "../../../packages/qwen-vl-model/test/support/adapter.ts";
import { proceduralWeights, smallRangeOf } from "../../../packages/qwen-vl-model/test/support/procedural.ts";
import { logitsOf, probeOf } from "../probes.ts";
import { figure, relative, runPython, unpacked } from "../python.ts";

const TOLERANCE = 1e-4;
let device: Device;
let folder: string;
let bases: Readonly<Record<Family, { readonly directory: string; readonly prompt: Sequence }>>;
let answers: { readonly read: readonly string[]; readonly written: readonly string[] };
const ours: Float32Array[] = [];

type Family = "Qwen2.5-VL" | "Qwen3-VL";

const vision = ["qkv", "attn.proj", "linear_fc1", "q_proj", "down_proj"];
/** What we save. */
const saved: readonly { readonly name: string; readonly of: Family; readonly options: AdapterOptions }[] = [
  { name: "text", of: "Qwen2.5-VL", options: { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "down_proj"] } },
  {
    name: "all-linear, rsLoRA",
    of: "Qwen2.5-VL",
    options: { rank: 3, alpha: 8, rankStabilized: true, targets: "all-linear" },
  },
  { name: "all-linear", of: "Qwen3-VL", options: { rank: 2, alpha: 4, targets: "all-linear" } },
];
/** What PEFT saves; we save those of one family again, for PEFT. */
const written: readonly { readonly name: string; readonly of: Family; readonly options: object }[] = [
  {
    name: "patterns and rsLoRA",
    of: "Qwen2.5-VL",
    options: {
      ...{ r: 4, lora_alpha: 8, use_rslora: true, target_modules: ["q_proj", "down_proj", "qkv"] },
      rank_pattern: { "layers.1.self_attn.q_proj": 2 },
      alpha_pattern: { down_proj: 3 },
    },
  },
  { name: "all-linear", of: "Qwen2.5-VL", options: { r: 2, lora_alpha: 4, target_modules: "all-linear" } },
  {
    name: "embedding and head whole",
    of: "Qwen2.5-VL",
    options: { r: 2, lora_alpha: 4, target_modules: ["v_proj"], modules_to_save: ["embed_tokens", "lm_head"] },
  },
  { name: "towers", of: "Qwen3-VL", options: { r: 3, lora_alpha: 6, target_modules: vision } },
  {
    name: "patterns",
    of: "Qwen3-VL",
    options: {
      r: 4,
      lora_alpha: 8,
      target_modules: ["k_proj", "gate_proj"],
      rank_pattern: { "layers.0.self_attn.k_proj": 1 },
    },
  },
];

beforeAll(async () => {
  device = await openDevice();
  folder = await mkdtemp(join(tmpdir(), "iapo-peft-"));
  const { task } = await (await createNanoCharts({ seed: 3, names: "words" })).chart("test", 1);
  const promptOf = async (directory: string) => {
    const content = [{ image: task.content.image }, { text: `${task.content.question}\n` }];
    return encodeConversation(await loadProcessor(directory), [{ role: "user", content }]);
  };
  const config = await loadConfig(qwen3BaseDirectory);
  const qwen3 = new QwenVLModel(
    config,
    await proceduralWeights(device, config, { dtype: "f32", ranges: smallRangeOf }),
  );
  const directory3 = join(folder, "qwen3");
  await exportModel(qwen3, directory3, { companions: qwen3BaseDirectory });
  qwen3.dispose();
  bases = {
    "Qwen2.5-VL": { directory: studentDirectory, prompt: await promptOf(studentDirectory) },
    "Qwen3-VL": { directory: directory3, prompt: await promptOf(directory3) },
  };
  for (const [i, { of, options }] of saved.entries()) {
    const model = await openBase(of);
    model.adapter = activeAdapter(model, options);
    await saveAdapter(model.adapter, join(folder, `ours-${i}`), bases[of].directory);
    ours.push(await logitsOf(model, bases[of].prompt));
    model.dispose();
  }
  const entry = (of: Family) => ({ base: bases[of].directory, probe: probeOf(bases[of].prompt) });
  answers = await runPython("peft_both_ways", {
    read: saved.map(({ of }, i) => ({ ...entry(of), adapter: join(folder, `ours-${i}`) })),
    write: written.map(({ of, options }, i) => ({ ...entry(of), options, to: join(folder, `theirs-${i}`) })),
  });
});
afterAll(async () => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
  await rm(folder, { recursive: true, force: true });
});

async function openBase(of: Family): Promise<QwenVLModel> {
  const { directory } = bases[of];
  const config = await loadConfig(directory);
  return new QwenVLModel(config, await loadWeights(device, config, directory, { dtype: "f32" }));
}

test("saved by us", () => {
  for (const [i, { name, of }] of saved.entries()) {
    const error = relative(ours[i]!, unpacked(answers.read[i]!));
    figure(`PEFT reads ours, ${of}: ${name}`, error);
    expect(error, name).toBeLessThan(TOLERANCE);
  }
});

test("saved by PEFT, and saved again by us", async () => {
  const again: { base: string; probe: object; adapter: string }[] = [];
  for (const [i, { name, of }] of written.entries()) {
    const model = await openBase(of);
    const plain = await logitsOf(model, bases[of].prompt);
    model.adapter = await loadAdapter(device, model.config, join(folder, `theirs-${i}`));
    const got = await logitsOf(model, bases[of].prompt);
    const expected = unpacked(answers.written[i]!);
    expect(relative(plain, expected), "the adapter does something").toBeGreaterThan(0.01);
    const error = relative(got, expected);
    figure(`we read PEFT's, ${of}: ${name}`, error);
    expect(error, name).toBeLessThan(TOLERANCE);
    const adapter = join(folder, `again-${i}`);
    await saveAdapter(model.adapter, adapter, bases[of].directory);
    again.push({ base: bases[of].directory, probe: probeOf(bases[of].prompt), adapter });
    model.dispose();
  }
  const patterns = JSON.parse(await readFile(join(folder, "again-0/adapter_config.json"), "utf8"));
  expect(Object.keys(patterns.rank_pattern).length).toBeGreaterThan(0);
  const { read } = await runPython<typeof answers>("peft_both_ways", { read: again, write: [] });
  for (const [i, logits] of read.entries()) {
    const error = relative(unpacked(logits), unpacked(answers.written[i]!));
    figure(`PEFT reads again, ${written[i]!.of}: ${written[i]!.name}`, error);
    expect(error, written[i]!.name).toBeLessThan(TOLERANCE);
  }
});
