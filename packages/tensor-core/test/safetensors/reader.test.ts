import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openSafetensors, SafetensorsError } from "../../src/safetensors/index.ts";
import { entry, fileBytes, pattern, temporaryDirectory } from "./helpers.ts";

async function open(bytes: Uint8Array): Promise<void> {
  using directory = temporaryDirectory();
  const file = join(directory.path, "x.safetensors");
  writeFileSync(file, bytes);
  await using _ = await openSafetensors(file);
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SafetensorsError) return error.fault;
  throw new Error("expected a SafetensorsError", { cause: error });
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<{ bytes: number[]; sizes: number[] }> {
  const bytes: number[] = [];
  const sizes: number[] = [];
  for await (const piece of pieces) {
    bytes.push(...piece);
    sizes.push(piece.byteLength);
  }
  return { bytes, sizes };
}

describe("reading", () => {
  const data = pattern(4 * 6 + 2 * 3 + 8);
  const header = {
    __metadata__: { format: "pt" },
    half: entry("BF16", [3], 24, 30),
    matrix: entry("F32", [3, 2], 0, 24),
    scalar: entry("I64", [], 30, 38),
    empty: entry("F32", [0, 7], 38, 38),
  };

  test("gives metadata without data, whole tensors, rows and pieces", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "x.safetensors");
    writeFileSync(file, fileBytes(header, data));
    await using reader = await openSafetensors(file);
    expect(reader.metadata).toEqual({ format: "pt" });
    expect([...reader.tensors.keys()].sort()).toEqual(["empty", "half", "matrix", "scalar"]);
    expect(reader.info("half")).toMatchObject({ dtype: "BF16", shape: [3], byteLength: 6, file });
    expect(await reader.read("half")).toEqual(new Uint8Array(data.slice(24, 30)));
    expect(await reader.read("scalar")).toEqual(new Uint8Array(data.slice(30)));
    expect(await collect(reader.pieces("empty"))).toEqual({ bytes: [], sizes: [] });
    expect(await collect(reader.pieces("matrix", { pieceBytes: 16 }))).toEqual({
      bytes: [...data.slice(0, 24)],
      sizes: [16, 8],
    });
    const rows = await collect(reader.pieces("matrix", { rows: { start: 1, end: 3 }, pieceBytes: 8 }));
    expect(rows).toEqual({ bytes: [...data.slice(8, 24)], sizes: [8, 8] });
    expect(await faultOf(reader.read("absent"))).toBe("unknown_tensor");
    expect(await faultOf(collect(reader.pieces("matrix", { rows: { start: 2, end: 4 } })))).toBe("range");
    expect(await faultOf(collect(reader.pieces("scalar", { rows: { start: 0, end: 1 } })))).toBe("range");
    expect(await faultOf(collect(reader.pieces("matrix", { pieceBytes: 12 })))).toBe("range");
    expect(await faultOf(collect(reader.pieces("matrix", { pieceBytes: 2 ** 27 })))).toBe("range");
  });

  test("a file that shrinks while it is open is reported, not padded", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "x.safetensors");
    const bytes = fileBytes(header, data);
    writeFileSync(file, bytes);
    await using reader = await openSafetensors(file);
    truncateSync(file, bytes.length - 10);
    expect(await faultOf(reader.read("scalar"))).toBe("truncated");
  });
});

describe("hostile files are refused by fault", () => {
  const one = { x: entry("F32", [2], 0, 8) };
  const cases: [string, Uint8Array, string][] = [
    ["nothing", new Uint8Array(0), "truncated"],
    ["seven bytes", new Uint8Array(7), "truncated"],
    ["header length 2^64 - 1", fileBytes(one, 8, 2n ** 64n - 1n), "header"],
    ["header length over the file", fileBytes(one, 8, 1000n), "truncated"],
    ["header length one short", fileBytes(one, 8, BigInt(JSON.stringify(one).length - 1)), "header"],
    ["empty header", fileBytes("", 0), "header"],
    ["not JSON", fileBytes("{x}", 0), "header"],
    ["an array", fileBytes("[]", 0), "header"],
    ["null", fileBytes("null", 0), "header"],
    ["bad UTF-8", fileBytes(one, 8).with(9, 0xff), "header"],
    ["deep nesting", fileBytes("[".repeat(100_000), 0), "header"],
    ["an unterminated string", fileBytes(`{"${"a".repeat(100_000)}`, 0), "header"],
    ["an entry that is no object", fileBytes({ x: 3 }, 0), "header"],
    ["an unknown field", fileBytes({ x: { ...one.x, strides: [1] } }, 8), "header"],
    ["metadata that is no text", fileBytes({ __metadata__: { a: 1 }, ...one }, 8), "header"],
    ["a dtype that is no text", fileBytes({ x: { ...one.x, dtype: 4 } }, 8), "dtype"],
    ["a negative dimension", fileBytes({ x: entry("F32", [-2], 0, 8) }, 8), "shape"],
    ["a fraction as dimension", fileBytes({ x: entry("F32", [0.5], 0, 8) }, 8), "shape"],
    ["a shape that is no list", fileBytes({ x: entry("F32", "2", 0, 8) }, 8), "shape"],
    ["a size that overflows", fileBytes({ x: entry("F32", [2 ** 31, 2 ** 31], 0, 8) }, 8), "shape"],
    ["a shape too small for its range", fileBytes({ x: entry("F32", [1], 0, 8) }, 8), "shape"],
    ["a shape too large for its range", fileBytes({ x: entry("F32", [3], 0, 8) }, 8), "shape"],
    ["offsets backwards", fileBytes({ x: entry("F32", [2], 8, 0) }, 8), "offsets"],
    ["offsets missing", fileBytes({ x: { dtype: "F32", shape: [2] } }, 8), "offsets"],
    ["data cut short", fileBytes(one, 7), "truncated"],
    ["data too long", fileBytes(one, 9), "offsets"],
    ["a hole", fileBytes({ x: entry("U8", [2], 0, 2), y: entry("U8", [2], 4, 6) }, 6), "offsets"],
    ["an overlap", fileBytes({ x: entry("U8", [4], 0, 4), y: entry("U8", [4], 2, 6) }, 6), "offsets"],
    ["the same range twice", fileBytes({ x: entry("U8", [4], 0, 4), y: entry("U8", [4], 0, 4) }, 4), "offsets"],
    ["a name twice", fileBytes(`{"x":${JSON.stringify(one.x)},"\\u0078" : ${JSON.stringify(one.x)}}`, 8), "duplicate"],
    [
      "a field twice",
      fileBytes(`{"x":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}`, 8),
      "duplicate",
    ],
  ];
  test.each(cases)("%s", async (_, bytes, code) => {
    expect(await faultOf(open(bytes))).toBe(code);
  });

  test.each([
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3968658944\n",
      /a Git LFS pointer.*git lfs pull/,
    ],
    ["a web page", "<!DOCTYPE html><html></html>", /text that begins with "<!DOCTYP", not safetensors/],
    ["JSON", '{\n  "error": "Repository not found"\n}', /text that begins with/],
  ])("%s in a file's place is named", async (_, text, message) => {
    await expect(open(new TextEncoder().encode(text))).rejects.toMatchObject({
      fault: "header",
      message: expect.stringMatching(message),
    });
  });

  test("a tensor of a newer dtype, or of one from the prototype, is refused only when it is read", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "x.safetensors");
    const header = { x: entry("F8_E8M0", [2], 0, 2), y: entry("constructor", [2], 2, 8), z: entry("U8", [2], 8, 10) };
    writeFileSync(file, fileBytes({ __metadata__: null, ...header }, pattern(10)));
    await using reader = await openSafetensors(file);
    expect(reader.metadata).toEqual({});
    expect(reader.info("x")).toMatchObject({ dtype: "F8_E8M0", shape: [2], byteLength: 2 });
    expect(await reader.read("z")).toEqual(pattern(10).subarray(8));
    expect(await faultOf(reader.read("x"))).toBe("dtype");
    expect(await faultOf(reader.pieces("y").next())).toBe("dtype");
  });

  test("a header of more than 16 MiB is read", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "x.safetensors");
    writeFileSync(file, fileBytes({ __metadata__: { note: "n".repeat(17 * 2 ** 20) }, ...one }, 8));
    await using reader = await openSafetensors(file);
    expect([...reader.tensors.keys()]).toEqual(["x"]);
  });

  test("a tensor called __proto__ is an ordinary tensor", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "x.safetensors");
    writeFileSync(file, fileBytes(`{"__proto__":${JSON.stringify(one.x)}}`, 8));
    await using reader = await openSafetensors(file);
    expect(reader.info("__proto__").shape).toEqual([2]);
  });

  test("a missing file and an empty directory", async () => {
    using directory = temporaryDirectory();
    expect(await faultOf(openSafetensors(join(directory.path, "none.safetensors")))).toBe("io");
    expect(await faultOf(openSafetensors(directory.path))).toBe("io");
  });
});

describe("shards", () => {
  const a = fileBytes({ x: entry("U8", [4], 0, 4) }, pattern(4));
  const b = fileBytes({ y: entry("U8", [2], 0, 2) }, pattern(2));
  async function openIndex(index: unknown, files: Record<string, Uint8Array>): Promise<string[]> {
    using directory = temporaryDirectory();
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory.path, name), bytes);
    writeFileSync(
      join(directory.path, "model.safetensors.index.json"),
      typeof index === "string" ? index : JSON.stringify(index),
    );
    await using reader = await openSafetensors(directory.path);
    return [...reader.tensors.keys()];
  }
  const files = { "a.safetensors": a, "b.safetensors": b };

  test("are read as one checkpoint", async () => {
    const names = await openIndex(
      { metadata: { total_size: 1 }, weight_map: { y: "b.safetensors", x: "a.safetensors" } },
      files,
    );
    expect(names).toEqual(["x", "y"]);
  });

  test("what the shards hold counts, whatever the index leaves out, misplaces, or says of a head that is tied", async () => {
    using directory = temporaryDirectory();
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory.path, name), bytes);
    const index = {
      metadata: { quantization: { group: { size: 64 } } },
      weight_map: { x: "b.safetensors", "lm_head.weight": "a.safetensors" },
    };
    writeFileSync(join(directory.path, "model.safetensors.index.json"), JSON.stringify(index));
    await using reader = await openSafetensors(directory.path);
    expect([...reader.tensors.keys()]).toEqual(["x", "y"]);
    expect(() => reader.info("lm_head.weight")).toThrow(
      /no tensor "lm_head.weight", though the index says that a\.safetensors holds it/,
    );
  });

  const faults: [string, unknown, Record<string, Uint8Array>, string][] = [
    ["no weight_map", {}, files, "index"],
    ["a weight_map that lists nothing", { weight_map: {} }, files, "index"],
    ["not JSON", "{", files, "index"],
    ["a path out of the directory", { weight_map: { x: "../a.safetensors" } }, files, "index"],
    ["an absolute path", { weight_map: { x: "/etc/a.safetensors" } }, files, "index"],
    ["a shard that is not there", { weight_map: { x: "a.safetensors", y: "c.safetensors" } }, files, "io"],
    [
      "a tensor in two shards",
      { weight_map: { x: "a.safetensors", y: "b.safetensors" } },
      { ...files, "b.safetensors": a },
      "duplicate",
    ],
    ["a name listed twice", `{"weight_map":{"x":"a.safetensors","x":"a.safetensors"}}`, files, "duplicate"],
  ];
  test.each(faults)("refused: %s", async (_, index, shards, code) => {
    expect(await faultOf(openIndex(index, shards))).toBe(code);
  });
});
