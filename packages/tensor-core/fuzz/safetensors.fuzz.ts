/**
 * Mutated safetensors files: each opens and reads back the bytes its header names, or fails with `SafetensorsError`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, SafetensorsError } from "../src/safetensors/index.ts";

type Random = (below: number) => number;

/** A small counter-based generator: the same seed gives the same files. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

function validFile(random: Random): { json: string; data: Uint8Array } {
  const header: Record<string, unknown> = random(2) === 0 ? { __metadata__: { format: "pt" } } : {};
  const sizes = { F32: 4, BF16: 2, I64: 8, U8: 1 } as const;
  let end = 0;
  for (let i = random(6); i >= 0; i--) {
    const dtype = (["F32", "BF16", "I64", "U8"] as const)[random(4)]!;
    const shape = Array.from({ length: random(4) }, () => random(5));
    const begin = end;
    end += shape.reduce((product, size) => product * size, sizes[dtype]);
    header[`layers.${i}.weight`] = { dtype, shape, data_offsets: [begin, end] };
  }
  return { json: JSON.stringify(header), data: Uint8Array.from({ length: end }, () => random(256)) };
}

const JSON_PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "-",
  "0",
  "9",
  "1e9",
  "null",
  "__metadata__",
  "F32",
  " ",
  "\u0000",
  "é",
];

/** One of many ways to spoil a file; some leave it valid. */
function mutate(random: Random): Uint8Array {
  let { json, data } = validFile(random);
  let length: bigint | undefined;
  for (let rounds = random(3); rounds >= 0; rounds--) {
    const at = random(json.length + 1);
    switch (random(9)) {
      case 0: // a byte of data: still valid
        if (data.length > 0) data[random(data.length)]! ^= 1 + random(255);
        break;
      case 1:
        json = json.slice(0, at) + JSON_PIECES[random(JSON_PIECES.length)] + json.slice(at);
        break;
      case 2:
        json = json.slice(0, at) + json.slice(at + 1 + random(8));
        break;
      case 3: // another number
        json = json.replace(/\d+/g, (digits) =>
          random(4) === 0 ? String(random(2) === 0 ? random(100) : 2 ** random(80)) : digits,
        );
        break;
      case 4:
        data = data.slice(0, random(data.length + 1));
        break;
      case 5:
        data = Uint8Array.from([...data, ...Array.from({ length: random(20) }, () => random(256))]);
        break;
      case 6:
        length = BigInt(json.length + random(64) - 32) & (2n ** 64n - 1n);
        break;
      case 7:
        length = 1n << BigInt(random(64));
        break;
      default: // spaces are padding: still valid
        json += " ".repeat(random(8));
    }
  }
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  const cut = random(20);
  if (cut === 0) return bytes.slice(0, random(bytes.length + 1));
  if (cut === 1) bytes[random(bytes.length)]! ^= 1 << random(8);
  return bytes;
}

/** What an accepted file must satisfy, from the bytes alone. */
function checkAgainstBytes(bytes: Uint8Array, name: string, read: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const [begin, end] = header[name]!.data_offsets;
  const expected = bytes.subarray(8 + length + begin, 8 + length + end);
  if (expected.length !== end - begin || Buffer.compare(expected, read) !== 0) {
    throw new Error(`tensor ${name} was not read as its header says`);
  }
}

export interface FuzzCounts {
  loaded: number;
  refused: number;
}

/** @throws whatever is neither a correct load nor a `SafetensorsError`, with the case's number. */
export async function fuzzSafetensors(cases: number, seed: number): Promise<FuzzCounts> {
  const directory = mkdtempSync(join(tmpdir(), "safetensors-fuzz-"));
  const file = join(directory, "x.safetensors");
  const counts = { loaded: 0, refused: 0 };
  try {
    for (let i = 0; i < cases; i++) {
      const bytes = mutate(randomFrom(seed + i * 7919));
      writeFileSync(file, bytes);
      try {
        await using reader = await openSafetensors(file);
        for (const name of reader.tensors.keys()) checkAgainstBytes(bytes, name, await reader.read(name));
        counts.loaded++;
      } catch (error) {
        if (!(error instanceof SafetensorsError)) throw new Error(`case ${i} of seed ${seed}`, { cause: error });
        counts.refused++;
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return counts;
}

if (import.meta.main) {
  const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
  const runs = Number(process.env.IAPO_FUZZ_RUNS ?? 2000);
  console.log(await fuzzSafetensors(runs, seed));
}
