// Row ops where the conformance suite does not reach: row-sharded tables, in-place writes, refused indices.
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  castInto,
  type Device,
  fromBf16,
  gatherRows,
  openDevice,
  overwriteRows,
  RowIndex,
  record,
  scope,
  type Tensor,
  TensorError,
  toBf16,
  writeRows,
} from "../../src/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const ROWS = 600;
const COLUMNS = 8;
const SHARD = 256;

/** A table with 256 rows in each shard, and its values. */
function shardedTable(dtype: "f32" | "bf16"): { table: Tensor; values: Float32Array } {
  const table = device.emptyMatrix([ROWS, COLUMNS], dtype, SHARD * COLUMNS * (dtype === "f32" ? 4 : 2));
  const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.fround(Math.sin(i) * 3));
  for (const { start, tensor } of table.parts()) {
    const part = values.slice(start * COLUMNS, (start + tensor.shape[0]!) * COLUMNS);
    tensor.write(dtype === "f32" ? part : toBf16(part));
  }
  return { table, values: dtype === "f32" ? values : fromBf16(toBf16(values)) };
}

const ids = [599, 0, 17, 17, 255, 256, 511, 512, 17, 300];

test.each(["f32", "bf16"] as const)("embedding lookup in a row-sharded %s table", async (dtype) => {
  const { table, values } = shardedTable(dtype);
  expect(table.shards).toHaveLength(3);
  const out = scope(() => gatherRows(table, RowIndex.of(device, ids, ROWS)));
  expect(await out.values()).toEqual(
    Float32Array.from(ids.flatMap((row) => [...values.slice(row * COLUMNS, (row + 1) * COLUMNS)])),
  );
  out.dispose();
  table.dispose();
});

test("the gradient of a row-sharded table has its shards, and counts each use of a row", async () => {
  const { table } = shardedTable("f32");
  const gradient = scope(() => {
    const recorded = record([table], () => gatherRows(table, RowIndex.of(device, ids, ROWS)));
    const ones = device.tensor(new Float32Array(ids.length * COLUMNS).fill(1), [ids.length, COLUMNS]);
    return recorded.backward([[recorded.value, ones]])[0]!;
  });
  expect(gradient.shards?.map((s) => s.shape[0])).toEqual(table.shards?.map((s) => s.shape[0]));
  const expected = new Float32Array(ROWS * COLUMNS);
  for (const row of ids) for (let c = 0; c < COLUMNS; c++) expected[row * COLUMNS + c]! += 1;
  expect(await gradient.values()).toEqual(expected);
  gradient.dispose();
  table.dispose();
});

test("writeRows puts rows in their places and leaves the others", async () => {
  const target = device.tensor(new Float32Array(15).fill(-1), [5, 3]);
  const rows = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  using index = RowIndex.of(device, [3, 0], 5);
  writeRows(target, rows, index);
  expect([...(await target.values())]).toEqual([4, 5, 6, -1, -1, -1, -1, -1, -1, 1, 2, 3, -1, -1, -1]);
  target.dispose();
  rows.dispose();
});

test("castInto refreshes a row-sharded bf16 copy, rounding to nearest even", async () => {
  const { table: master, values } = shardedTable("f32");
  const copy = device.emptyMatrix([ROWS, COLUMNS], "bf16", SHARD * COLUMNS * 2);
  castInto(copy, master);
  expect(await copy.read()).toEqual(toBf16(values));
  const other = device.emptyMatrix([ROWS, COLUMNS], "bf16");
  expect(() => castInto(other, master)).toThrow(TensorError);
  for (const t of [master, copy, other]) t.dispose();
});

test("bf16 rounding by bits keeps NaN, infinities and the sign of zero", async () => {
  const bits = Uint32Array.of(
    0x7fc00001,
    0x7f800001,
    0xffc12345,
    0x7f800000,
    0xff800000,
    0x80000000,
    0x7f7fffff,
    0x3f808000,
  );
  const x = device.tensor(new Float32Array(bits.buffer), [8]);
  const out = device.empty([8], "bf16");
  castInto(out, x);
  expect([...((await out.read()) as Uint16Array)].map((h) => h.toString(16))).toEqual([
    "7fc0",
    "7fc0",
    "ffc1",
    "7f80",
    "ff80",
    "8000",
    "7f80",
    "3f80",
  ]);
  x.dispose();
  out.dispose();
});

test("an index refuses rows that are not there, and writes refuse a row named twice", () => {
  for (const bad of [-1, 5, 1.5, Number.NaN]) expect(() => RowIndex.of(device, [0, bad], 5)).toThrow(/position 1/);
  scope(() => {
    const x = device.tensor(new Float32Array(15), [5, 3]);
    const rows = device.tensor(new Float32Array(6), [2, 3]);
    const twice = RowIndex.of(device, [2, 2], 5);
    expect(() => writeRows(x, rows, twice)).toThrow(/more than once/);
    expect(() => overwriteRows(x, rows, twice)).toThrow(/more than once/);
    expect(() => gatherRows(rows, twice)).toThrow(/does not fit/);
  });
});

test("nothing leaked", () => {
  expect(device.memory().liveBytes).toBe(0);
});
