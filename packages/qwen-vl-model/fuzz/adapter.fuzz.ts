/**
 * Spoiled PEFT directories: each loads into pairs that are what the files say, or fails with an error of ours; what changes the meaning is never
 * loaded. The GPU's live bytes are back at the start after every case.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, fromBf16, openDevice, TensorError } from "@iapo/tensor-core";
import { seededRandom } from "@iapo/tensor-core/testing";
import { knownConfigs } from "../src/config.ts";
import { QwenVLError } from "../src/error.ts";
import type { Adapter } from "../src/lora/adapter.ts";
import { loadAdapter } from "../src/lora/peft.ts";
import { fromF16 } from "../src/weights/half.ts";

type Random = (below: number) => number;
type Dtype = "F32" | "BF16" | "F16";
interface Matrix {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}
/** A directory, and what a reader who takes it at its word would make of it. */
interface Case {
  readonly config: Record<string, unknown>;
  readonly tensors: Map<string, Matrix>;
  /** By published module: the factor of the update. */
  readonly scales: ReadonlyMap<string, number>;
  /** Something that changes the meaning, or does not fit: it must not load. */
  wrong: string | undefined;
}

/** Published names, widths and heights of some modules of nano. */
const MODULES = [
  ["model.layers.0.self_attn.q_proj", 64, 64],
  ["model.layers.1.self_attn.k_proj", 64, 32],
  ["model.layers.2.mlp.gate_proj", 64, 144],
  ["model.layers.0.mlp.down_proj", 144, 64],
  ["visual.blocks.1.attn.qkv", 48, 144],
  ["visual.blocks.3.mlp.up_proj", 48, 84],
] as const;
const BYTES: Readonly<Record<Dtype, number>> = { F32: 4, BF16: 2, F16: 2 };
/** The name of the module in PEFT's keys, by writer. */
const NAMINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.replace(/^model\./, "model.language_model.").replace(/^visual\./, "model.visual."),
  (name) => name.replace(/^model\./, "language_model.model."),
];
const last = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

function pick<T>(random: Random, items: readonly [T, ...T[]] | readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

function validCase(random: Random): Case {
  const dtype = pick(random, ["F32", "BF16", "F16"] as const);
  const named = pick(random, NAMINGS);
  const suffix = pick(random, ["", ".default"]);
  const prefix = pick(random, ["base_model.model.", "base_model.model.", ""]);
  const modules = MODULES.filter(() => random(2) === 0);
  if (modules.length === 0) modules.push(MODULES[0]);
  const [rank, alpha, stabilized] = [1 + random(4), 1 + random(16), random(3) === 0];
  const ranks: Record<string, number> = {};
  const alphas: Record<string, number> = {};
  const tensors = new Map<string, Matrix>();
  const scales = new Map<string, number>();
  for (const [name, input, out] of modules) {
    if (random(3) === 0) ranks[last(name)] = 1 + random(4);
    if (random(3) === 0) alphas[pick(random, [last(name), name.replaceAll(".", "\\.")])] = 1 + random(9);
    const own = ranks[last(name)] ?? rank;
    const factor = alphas[last(name)] ?? alphas[name.replaceAll(".", "\\.")] ?? alpha;
    scales.set(name, factor / (stabilized ? Math.sqrt(own) : own));
    for (const [part, shape] of [
      ["lora_A", [own, input]],
      ["lora_B", [out, own]],
    ] as const) {
      // No NaN patterns: bits compare as numbers.
      const data = Uint8Array.from({ length: shape[0] * shape[1] * BYTES[dtype] }, () => random(60));
      tensors.set(`${prefix}${named(name)}.${part}${suffix}.weight`, { dtype, shape, data });
    }
  }
  const config = {
    ...{ peft_type: "LORA", r: rank, lora_alpha: alpha, use_rslora: stabilized, bias: "none", use_dora: false },
    ...{ rank_pattern: ranks, alpha_pattern: alphas, target_modules: modules.map(([name]) => last(name)) },
  };
  return { config, tensors, scales, wrong: undefined };
}

/** Fields that switch on another method, and values that do. */
const VARIANTS: readonly (readonly [string, unknown])[] = [
  ...["use_dora", "use_qalora", "lora_bias", "fan_in_fan_out", "a_new_variant"].map((key) => [key, true] as const),
  ["alora_invocation_tokens", [1]],
  ["layer_replication", [[0, 2]]],
  ["trainable_token_indices", { embed_tokens: [3] }],
  ["target_parameters", ["x"]],
  ["kasa_config", {}],
  ["arrow_config", { top_k: 3 }],
  ["use_bdlora", {}],
  ["bias", "all"],
  ["peft_type", "LOHA"],
  ["init_lora_weights", "pissa"],
  ["modules_to_save", ["visual"]],
  ["modules_to_save", ["lm_head"]],
  ["r", 0],
  ["lora_alpha", "16"],
];
/** Fields and values that change nothing. */
const HARMLESS: readonly (readonly [string, unknown])[] = [
  ["lora_dropout", 0.1],
  ["task_type", "CAUSAL_LM"],
  ["peft_version", "9"],
  ["layer_replication", null],
  ["kasa_config", null],
  ["a_new_variant", false],
  ["megatron_core", "megatron.core"],
  ["runtime_config", { ephemeral_gpu_offload: false }],
  ["revision", "main"],
  ["unsloth_fixed", true],
];

/** One change in most cases. */
function spoil(random: Random, made: Case): void {
  const { config, tensors } = made;
  const key = pick(random, [...tensors.keys()]);
  const matrix = tensors.get(key);
  if (!matrix) return;
  switch (random(12)) {
    case 0:
    case 1: {
      const [field, value] = pick(random, VARIANTS);
      config[field] = value;
      made.wrong = field;
      break;
    }
    case 2:
    case 3: {
      const [field, value] = pick(random, HARMLESS);
      config[field] = value;
      break;
    }
    case 4:
      tensors.delete(key);
      made.wrong = `without ${key}`;
      break;
    case 5:
      tensors.set(key.replace(/(layers|blocks)\.\d/, "$1.9"), matrix);
      made.wrong = "a module that is not there";
      break;
    case 6:
      tensors.set(key, { ...matrix, shape: [...matrix.shape, 1] });
      made.wrong = `the shape of ${key}`;
      break;
    case 7:
      tensors.set(key, { ...matrix, dtype: "I8", shape: [matrix.data.length] });
      made.wrong = `the dtype of ${key}`;
      break;
    case 8:
      tensors.set(`module.${key.replace(/^base_model\.model\./, "")}`, matrix);
      made.wrong = `${key} twice`;
      break;
    case 9:
      tensors.set(pick(random, ["lm_head.lora_A.weight", "x.lora_magnitude_vector", "lm_head.weight"]), matrix);
      made.wrong = "a tensor of another method";
      break;
    default: // as it was
  }
}

function safetensors(tensors: ReadonlyMap<string, Matrix>): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...[...tensors.values()].map(({ data }) => data)]);
}

function numbers({ dtype, data }: Matrix): Float32Array {
  if (dtype === "F32") return new Float32Array(data.buffer);
  return dtype === "BF16" ? fromBf16(new Uint16Array(data.buffer)) : fromF16(new Uint16Array(data.buffer));
}

/** Throws where what was loaded is not what the case says. */
async function check({ tensors, scales }: Case, adapter: Adapter): Promise<void> {
  if (String([...adapter.pairs.keys()].sort()) !== String([...scales.keys()].sort())) throw new Error("other modules");
  for (const [name, { a, b, scale }] of adapter.pairs) {
    if (Math.abs(scale / (scales.get(name) ?? 0) - 1) > 1e-12) throw new Error(`${name} is scaled by ${scale}`);
    for (const [part, { run }] of [
      ["lora_A", a],
      ["lora_B", b],
    ] as const) {
      const key = [...tensors.keys()].find(
        (stored) => stored.includes(`.${part}.`) && NAMINGS.some((of) => stored.includes(`${of(name)}.lora`)),
      );
      const matrix = tensors.get(key ?? "");
      if (
        !matrix ||
        Buffer.compare(Buffer.from(numbers(matrix).buffer), Buffer.from((await run.values()).buffer)) !== 0
      ) {
        throw new Error(`${name} ${part} is not what the file holds`);
      }
    }
  }
}

export interface AdapterFuzzCounts {
  loaded: number;
  refused: number;
}

/** @throws whatever is neither a correct load nor an error of ours, with the case's number. */
export async function fuzzAdapters(device: Device, cases: number, seed: number): Promise<AdapterFuzzCounts> {
  const directory = mkdtempSync(join(tmpdir(), "adapter-fuzz-"));
  const counts = { loaded: 0, refused: 0 };
  const { liveBytes } = device.memory();
  try {
    for (let i = 0; i < cases; i++) {
      const uniform = seededRandom(`adapter ${seed} ${i}`);
      const random: Random = (below) => Math.floor(uniform() * below);
      const made = validCase(random);
      spoil(random, made);
      const file = safetensors(made.tensors);
      const cut = random(12) === 0;
      if (cut) made.wrong = "a file cut short";
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      writeFileSync(join(directory, "adapter_config.json"), JSON.stringify(made.config));
      writeFileSync(join(directory, "adapter_model.safetensors"), cut ? file.subarray(0, random(file.length)) : file);
      try {
        const adapter = await loadAdapter(device, knownConfigs.nano, directory);
        if (made.wrong !== undefined) throw new Error(`loaded, with ${made.wrong}`);
        await check(made, adapter);
        adapter.dispose();
        counts.loaded++;
      } catch (error) {
        if (!isOurs(error) || made.wrong === undefined) throw new Error(`case ${i} of seed ${seed}`, { cause: error });
        counts.refused++;
      }
      if (device.memory().liveBytes !== liveBytes) throw new Error(`case ${i} of seed ${seed} kept GPU memory`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return counts;
}

function isOurs(error: unknown): boolean {
  if (error instanceof TensorError) return !["validation", "device_lost", "disposed", "leak"].includes(error.code);
  return error instanceof QwenVLError;
}

if (import.meta.main) {
  using device = await openDevice();
  const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
  console.log(await fuzzAdapters(device, Number(process.env.IAPO_FUZZ_RUNS ?? 2000), seed));
}
