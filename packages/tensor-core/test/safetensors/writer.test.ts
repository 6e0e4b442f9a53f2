import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesPerElement,
  openSafetensors,
  type SafetensorsDtype,
  SafetensorsError,
  type TensorSource,
  tensorByteLength,
  writeSafetensors,
  writeSafetensorsShards,
} from "../../src/safetensors/index.ts";
import { pattern, temporaryDirectory } from "./helpers.ts";

function source(name: string, dtype: SafetensorsDtype, shape: number[], seed = 1): TensorSource {
  const bytes = pattern(tensorByteLength(dtype, shape)!, seed);
  return {
    name,
    dtype,
    shape,
    data: function* () {
      for (let at = 0; at < bytes.length; at += 5) yield bytes.subarray(at, at + 5);
    },
  };
}

const arbitraryTensors = fc.uniqueArray(
  fc.record({
    name: fc
      .oneof(fc.string(), fc.constantFrom("__proto__", "toString", "ü\u0000😀"))
      .filter((n) => n !== "__metadata__"),
    dtype: fc.constantFrom<SafetensorsDtype>("F64", "F32", "BF16", "F16", "I32", "I64", "U8", "U32", "BOOL"),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    seed: fc.integer(),
  }),
  { selector: ({ name }) => name, maxLength: 8 },
);

test("what is written, in one file or in shards, is what is read", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryTensors, fc.integer({ min: 1, max: 3000 }), async (tensors, maxShardBytes) => {
      using directory = temporaryDirectory();
      const sources = tensors.map(({ name, dtype, shape, seed }) => source(name, dtype, shape, seed));
      await writeSafetensorsShards(directory.path, sources, { maxShardBytes, metadata: { kind: "test" } });
      await using reader = await openSafetensors(directory.path);
      expect(reader.metadata).toEqual({ kind: "test" });
      expect(reader.tensors.size).toBe(tensors.length);
      for (const { name, dtype, shape, seed } of tensors) {
        const info = reader.info(name);
        expect([info.dtype, info.shape]).toEqual([dtype, shape]);
        expect(info.offset % bytesPerElement(dtype)).toBe(0);
        expect(await reader.read(name)).toEqual(new Uint8Array(pattern(info.byteLength, seed)));
      }
    }),
    { numRuns: 40 },
  );
});

test("shards respect the limit, carry Hugging Face's names, and their index counts the bytes", async () => {
  using directory = temporaryDirectory();
  const sources = ["a", "b", "c"].map((name) => source(name, "F32", [10]));
  const names = await writeSafetensorsShards(directory.path, sources, { maxShardBytes: 80 });
  expect(names).toEqual([
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ]);
  expect(readdirSync(directory.path).sort()).toEqual(names);
  expect(JSON.parse(readFileSync(join(directory.path, names[2]!), "utf8"))).toEqual({
    metadata: { total_size: 120 },
    weight_map: { a: names[0], b: names[0], c: names[1] },
  });
  const file = readFileSync(join(directory.path, names[0]!));
  expect(Number(file.readBigUInt64LE()) % 8).toBe(0);
  expect(file.subarray(8).toString("latin1")).toMatch(/^\{"__metadata__":\{"format":"pt"\},"a":/);
});

test("a failure leaves the old file as it was and nothing beside it", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "model.safetensors");
  writeFileSync(file, "old");
  const faults: [TensorSource[], string | undefined][] = [
    [[{ ...source("a", "F32", [2]), data: () => [new Uint8Array(7)] }], "data"],
    [[{ ...source("a", "F32", [2]), data: () => [new Uint8Array(8), new Uint8Array(1)] }], "data"],
    [[source("a", "F32", [2]), source("a", "U8", [1])], "duplicate"],
    [[source("__metadata__", "F32", [2])], "duplicate"],
    [[{ ...source("a", "F32", [2]), shape: [1.5] }], "shape"],
    [
      [
        {
          ...source("a", "F32", [2]),
          data: async function* () {
            yield new Uint8Array(4);
            throw new Error("the GPU was lost");
          },
        },
      ],
      undefined,
    ],
  ];
  for (const [sources, fault] of faults) {
    const error: unknown = await writeSafetensors(file, sources).catch((reason: unknown) => reason);
    if (fault === undefined) expect(error).toEqual(new Error("the GPU was lost"));
    else expect((error as SafetensorsError).fault).toBe(fault);
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(directory.path)).toEqual(["model.safetensors"]);
  }
  await writeSafetensors(file, [source("a", "F32", [2])]);
  await using reader = await openSafetensors(file);
  expect(reader.tensors.size).toBe(1);
});

test("a checkpoint is never mixed with one of another layout", async () => {
  using directory = temporaryDirectory();
  const sources = ["a", "b"].map((name) => source(name, "F32", [10]));
  await writeSafetensorsShards(directory.path, sources);
  await writeSafetensorsShards(directory.path, sources); // one file replaces one file
  await expect(writeSafetensorsShards(directory.path, sources, { maxShardBytes: 40 })).rejects.toMatchObject({
    fault: "exists",
  });
  expect(readdirSync(directory.path)).toEqual(["model.safetensors"]);
});

test("a directory that cannot be written is an io error", async () => {
  await expect(writeSafetensors("/dev/null/x.safetensors", [])).rejects.toThrow(SafetensorsError);
});
