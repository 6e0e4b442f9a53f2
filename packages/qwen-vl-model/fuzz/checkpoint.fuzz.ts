/**
 * Spoiled checkpoint directories: each loads into a model whose weights are what the files say, or fails with an error of ours; the GPU's
 * live bytes are back at the start after every case.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, fromBf16, openDevice, TensorError, toBf16 } from "@iapo/tensor-core";
import { seededRandom } from "@iapo/tensor-core/testing";
import { writeConfig } from "../src/config/model-config.ts";
import { publishedName, tensorTable } from "../src/config/tensor-table.ts";
import { knownConfigs, loadConfig } from "../src/config.ts";
import { QwenVLError } from "../src/error.ts";
import { loadWeights } from "../src/weights/load.ts";
import type { Weights } from "../src/weights/weights.ts";

type Random = (below: number) => number;
type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };
type Header = Record<string, Entry>;
/** File name to content. */
type Files = Map<string, Uint8Array>;

const { nano } = knownConfigs;
const CONFIG = {
  ...nano,
  text: { ...nano.text, numHiddenLayers: 1, vocabSize: 64 },
  vision: { ...nano.vision, depth: 1, fullAttentionBlocks: [0] },
};
/** A case that takes longer hangs. */
const LIMIT_MS = 30_000;

const pick = <T>(random: Random, items: readonly T[]): T => items[random(items.length)]!;

/** A valid directory: F32 or BF16, one file or two with an index, published or newer names. */
function validFiles(random: Random): Files {
  const files: Files = new Map();
  const dtype = pick(random, ["F32", "BF16"] as const);
  const newer = random(3) === 0;
  const table = tensorTable(CONFIG).map(({ name, shape }) => ({
    name: newer
      ? name.replace(/^visual\./, "model.visual.").replace(/^model\.(?!visual)/, "model.language_model.")
      : name,
    shape,
  }));
  const cut = random(2) === 0 ? table.length : 1 + random(table.length - 1);
  const shards = [table.slice(0, cut), table.slice(cut)].filter((shard) => shard.length > 0);
  const weightMap: Record<string, string> = {};
  shards.forEach((shard, k) => {
    const file = shards.length === 1 ? "model.safetensors" : `model-0000${k + 1}-of-00002.safetensors`;
    const header: Header = {};
    let end = 0;
    for (const { name, shape } of shard) {
      const begin = end;
      end += shape.reduce((a, b) => a * b, dtype === "F32" ? 4 : 2);
      header[name] = { dtype, shape: [...shape], data_offsets: [begin, end] };
      weightMap[name] = file;
    }
    const data = Uint8Array.from({ length: end }, () => random(128)); // no NaN patterns: bits compare as numbers
    files.set(file, encode(JSON.stringify(spoilHeader(random, header)), data));
  });
  if (shards.length > 1) {
    const index = spoilJson(random, { metadata: { total_size: 1 }, weight_map: weightMap }, 4);
    files.set("model.safetensors.index.json", new TextEncoder().encode(index));
  }
  files.set("config.json", new TextEncoder().encode(spoilJson(random, writeConfig(CONFIG), 3)));
  return files;
}

/** Changes one thing in four of ten headers; some changes leave a loadable file. */
function spoilHeader(random: Random, header: Header): Header {
  const names = Object.keys(header);
  const [a, b] = [pick(random, names), pick(random, names)];
  const entry = header[a]!;
  switch (random(24)) {
    case 0:
      delete header[a];
      break;
    case 1:
      header[`${a}.extra`] = { dtype: "F32", shape: [0], data_offsets: [0, 0] };
      break;
    case 2: // the other's bytes: loadable where the shapes agree
      [entry.data_offsets, header[b]!.data_offsets] = [header[b]!.data_offsets, entry.data_offsets];
      break;
    case 3:
      entry.shape.reverse();
      break;
    case 4:
      entry.shape = [entry.shape.reduce((x, y) => x * y, 1)];
      break;
    case 5:
      entry.dtype = pick(random, ["F16", "F32", "BF16", "I64", "F8_E4M3", "Q4"]);
      break;
    case 6:
      entry.shape[random(entry.shape.length)] = pick(random, [0, 1, 2 ** 31, 2 ** 53, -1, 0.5]);
      break;
    case 7:
      entry.data_offsets = [entry.data_offsets[0], entry.data_offsets[1] + pick(random, [-2, 2, 4, 2 ** 40])];
      break;
    case 8: // the same tensor under both names
      header[
        a.startsWith("model.language_model.") ? publishedName(a) : a.replace(/^model\./, "model.language_model.")
      ] = entry;
      break;
    case 9:
      header["lm_head.weight"] = { ...entry };
      break;
    default: // as it was
  }
  return header;
}

const VALUES: readonly unknown[] = [
  0,
  -1,
  1,
  3,
  64,
  2 ** 31,
  1e300,
  0.5,
  "",
  "silu",
  "../x",
  null,
  true,
  [],
  [1, 2],
  {},
];

/** JSON with one value replaced or removed in one of `rarity` cases. */
function spoilJson(random: Random, json: Record<string, unknown>, rarity: number): string {
  if (random(rarity) === 0) {
    const nested = Object.values(json).filter(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    );
    const target = pick(random, [json, ...(nested as Record<string, unknown>[])]);
    const key = pick(random, Object.keys(target));
    if (random(4) === 0) delete target[key];
    else target[key] = pick(random, VALUES);
  }
  return JSON.stringify(json);
}

function encode(json: string, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** Damage to the bytes of a file, of any kind, in one of three directories. */
function damage(random: Random, files: Files): void {
  if (random(3) > 0) return;
  const name = pick(random, [...files.keys()]);
  const bytes = files.get(name)!;
  const at = random(Math.min(bytes.length, random(2) === 0 ? 64 : bytes.length));
  switch (random(5)) {
    case 0:
      files.set(name, bytes.slice(0, at));
      break;
    case 1:
      files.set(name, Uint8Array.from([...bytes, ...new Uint8Array(1 + random(9))]));
      break;
    case 2:
      files.delete(name);
      break;
    default:
      bytes[at]! ^= 1 << random(7);
  }
}

/** Compares some of the loaded weights with the files' bytes, read here by other code. */
async function checkWeights(random: Random, weights: Weights, files: Files): Promise<void> {
  const stored = new Map<string, { entry: Entry; bytes: Uint8Array }>();
  for (const [file, bytes] of files) {
    if (!file.endsWith(".safetensors")) continue;
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Header;
    for (const [name, entry] of Object.entries(header)) {
      const [begin, end] = entry.data_offsets;
      stored.set(publishedName(name), { entry, bytes: bytes.slice(8 + length + begin, 8 + length + end) });
    }
  }
  for (let i = 0; i < 4; i++) {
    const { name, run } = pick(random, [...weights]);
    const { entry, bytes } = stored.get(name)!;
    const values = entry.dtype === "BF16" ? fromBf16(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
    const expected = weights.dtype === "bf16" ? fromBf16(toBf16(values)) : values;
    const got = await run.values();
    if (Buffer.compare(Buffer.from(expected.buffer), Buffer.from(got.buffer)) !== 0) {
      throw new Error(`${name} is not what the file holds`);
    }
  }
}

export interface FuzzCounts {
  loaded: number;
  refused: number;
}

/** @throws whatever is neither a correct load nor an error of ours, with the case's number. */
export async function fuzzCheckpoints(device: Device, cases: number, seed: number): Promise<FuzzCounts> {
  const directory = mkdtempSync(join(tmpdir(), "checkpoint-fuzz-"));
  const counts = { loaded: 0, refused: 0 };
  const { liveBytes } = device.memory();
  try {
    for (let i = 0; i < cases; i++) {
      const uniform = seededRandom(`${seed} ${i}`);
      const random: Random = (below) => Math.floor(uniform() * below);
      const files = validFiles(random);
      damage(random, files);
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
      const start = performance.now();
      try {
        const config = await loadConfig(directory);
        const dtype = pick(random, ["f32", "bf16", undefined] as const);
        const weights = await loadWeights(device, config, directory, { dtype, trainable: () => random(2) === 0 });
        await checkWeights(random, weights, files);
        weights.dispose();
        counts.loaded++;
      } catch (error) {
        if (!isOurs(error)) throw new Error(`case ${i} of seed ${seed}`, { cause: error });
        counts.refused++;
      }
      if (device.memory().liveBytes !== liveBytes) throw new Error(`case ${i} of seed ${seed} kept GPU memory`);
      if (performance.now() - start > LIMIT_MS) throw new Error(`case ${i} of seed ${seed} hung`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return counts;
}

/** A refusal, not a failure of the GPU: those codes mean that something of ours went wrong. */
function isOurs(error: unknown): boolean {
  if (error instanceof TensorError) return !["validation", "device_lost", "disposed", "leak"].includes(error.code);
  return error instanceof QwenVLError;
}

if (import.meta.main) {
  using device = await openDevice();
  const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
  console.log(await fuzzCheckpoints(device, Number(process.env.IAPO_FUZZ_RUNS ?? 2000), seed));
}
