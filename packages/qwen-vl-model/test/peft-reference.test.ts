// Adapters that PEFT wrote give the logits that PEFT computes, are kept as they are, and merge where one checkpoint can hold them.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Device, gatherRows, linear, noGrad, openDevice, RowIndex, scope } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QwenVLError } from "../src/error.ts";
import { Adapter, TEXT_PROJECTIONS } from "../src/lora/adapter.ts";
import { mergedWeights } from "../src/lora/merge.ts";
import { loadAdapter, saveAdapter } from "../src/lora/peft.ts";
import type { LoraTargets } from "../src/lora/targets.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { packGroups } from "../src/model/pack.ts";
import { exportModel } from "../src/weights/export.ts";
import { loadNano } from "./support/nano.ts";
import { temporaryDirectory } from "./support/temporary.ts";

const folder = fileURLToPath(new URL("fixtures/peft/", import.meta.url));
const reference: { prompt: number[]; logits: Record<string, number[]> } = JSON.parse(
  readFileSync(`${folder}logits.json`, "utf8"),
);
let device: Device;
let model: QwenVLModel;
let base: readonly number[];

beforeAll(async () => {
  device = await openDevice();
  model = await loadNano(device);
  base = await logitsOf(model);
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

/** The logits behind the prompt's last token. */
async function logitsOf(of: QwenVLModel): Promise<number[]> {
  const { prompt } = reference;
  const positions = Int32Array.from(prompt.flatMap((_, i) => [i, i, i]));
  const sequence = { tokens: Int32Array.from(prompt), positions, images: [] };
  const uploaded = of.upload(packGroups(of.config, [{ prompt: sequence, responses: [] }]));
  using logits = noGrad(() =>
    scope(() => {
      const hidden = of.hidden(of.embed(uploaded), uploaded);
      return linear(gatherRows(hidden, RowIndex.of(device, [prompt.length - 1], prompt.length)), of.head);
    }),
  );
  of.release(uploaded);
  return [...(await logits.values())].slice(0, 64);
}

/** The largest difference over the largest logit. */
function distance(a: readonly number[], b: readonly number[]): number {
  const scale = Math.max(...b.map(Math.abs));
  return Math.max(...b.map((value, i) => Math.abs(value - (a[i] ?? Number.NaN)))) / scale;
}

async function withAdapter<T>(adapter: Adapter, work: () => Promise<T>): Promise<T> {
  model.adapter = adapter;
  try {
    return await work();
  } finally {
    model.adapter = undefined;
    adapter.dispose();
  }
}

test.each(Object.entries(reference.logits))(
  "%s: the logits of PEFT, also after it was saved and loaded again",
  async (name, expected) => {
    expect(distance(base, expected)).toBeGreaterThan(0.05); // the adapter does something
    const got = await withAdapter(await loadAdapter(device, model.config, folder + name), async () => {
      const logits = await logitsOf(model);
      using directory = temporaryDirectory();
      if (model.adapter) await saveAdapter(model.adapter, directory.path, "base");
      const again = new QwenVLModel(
        model.config,
        model.weights,
        await loadAdapter(device, model.config, directory.path),
      );
      expect(await logitsOf(again)).toEqual(logits);
      again.adapter?.dispose();
      return logits;
    });
    expect(distance(got, expected)).toBeLessThan(2e-6);
  },
);

test("rsLoRA divides by the root of the rank, by module where a pattern says so", async () => {
  const adapter = await loadAdapter(device, model.config, `${folder}patterns`);
  adapter.dispose();
  const scaleOf = (name: string) => adapter.pairs.get(name)?.scale;
  expect(adapter.scale).toBe(8 / Math.sqrt(4));
  expect(scaleOf("visual.blocks.0.attn.qkv")).toBe(8 / Math.sqrt(4));
  expect(scaleOf("model.layers.1.self_attn.q_proj")).toBe(8 / Math.sqrt(2));
  expect(scaleOf("model.layers.0.mlp.down_proj")).toBe(3 / Math.sqrt(4));
  expect(scaleOf("model.layers.2.mlp.down_proj")).toBe(3);
});

test.each(["patterns", "half"])("%s: merged, the logits stay", async (name) => {
  const adapter = await loadAdapter(device, model.config, folder + name);
  const merged = new QwenVLModel(model.config, mergedWeights(model.weights, adapter));
  adapter.dispose();
  expect(distance(await logitsOf(merged), reference.logits[name] ?? [])).toBeLessThan(2e-6);
  merged.dispose();
});

test("a whole embedding that is the tied head too merges; one that parts them is refused", async () => {
  using directory = temporaryDirectory();
  await withAdapter(await loadAdapter(device, model.config, `${folder}embedding`), async () => {
    await expect(exportModel(model, `${directory.path}/out`)).rejects.toThrow(
      expect.objectContaining({ code: "export" }),
    );
    const embedding = model.adapter?.replaced.get("model.embed_tokens.weight");
    if (!model.adapter || !embedding) throw new Error("no embedding");
    const tied = new Map([...model.adapter.replaced, ["lm_head.weight", embedding] as const]);
    const whole = new Adapter(model.adapter.options, model.adapter.pairs, tied);
    const unmerged = await logitsOf(new QwenVLModel(model.config, model.weights, whole));
    const merged = new QwenVLModel(model.config, mergedWeights(model.weights, whole));
    expect(distance(await logitsOf(merged), unmerged)).toBeLessThan(2e-6);
    merged.dispose();
    // It is one matrix on disk as well.
    await saveAdapter(whole, directory.path, "base");
    const loaded = await loadAdapter(device, model.config, directory.path);
    expect(loaded.replaced.get("lm_head.weight")).toBe(loaded.replaced.get("model.embed_tokens.weight"));
    loaded.dispose();
  });
});

const create = (targets: LoraTargets) => Adapter.create(device, model.config, { rank: 2, alpha: 4, targets }, [1, 2]);

test("targets by either name, by pattern, all of them, and as an adapter was saved", async () => {
  const names = (targets: LoraTargets): string[] => {
    const adapter = create(targets);
    adapter.dispose();
    return [...adapter.pairs.keys()];
  };
  const three = [0, 1, 2].map((i) => `model.layers.${i}.self_attn.q_proj`);
  expect(names(["q_proj"])).toEqual(three);
  expect(names(/^model\.language_model\.layers\.\d+\.self_attn\.q_proj$/)).toEqual(three);
  expect(names(["language_model.layers.1.self_attn.q_proj"])).toEqual([three[1]]);
  expect(names("all-linear").length).toBe(43); // as many as PEFT adapted in fixtures/peft/half
  for (const targets of [["q_proj"], TEXT_PROJECTIONS, "all-linear"] as const) {
    const adapter = create(targets);
    using directory = temporaryDirectory();
    await saveAdapter(adapter, directory.path, "base");
    const { target_modules } = JSON.parse(readFileSync(`${directory.path}/adapter_config.json`, "utf8"));
    expect(names(target_modules)).toEqual([...adapter.pairs.keys()]);
    adapter.dispose();
  }
});

test.each([
  [["q_proj", "gate_projj"], "targets gate_projj; there are qkv, proj, gate_proj"],
  [["lm_head"], "lm_head"],
  [[], "expected names"],
  ["everything", "expected names"],
  [/^nothing$/, "/^nothing$/"],
] as const)("targets that name nothing are refused: %j", (targets, message) => {
  expect(() => create(targets as LoraTargets)).toThrow(QwenVLError);
  expect(() => create(targets as LoraTargets)).toThrow(message);
});
