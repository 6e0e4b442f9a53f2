// Choices among kernels of equal bits: all give the bits of the usual way, a table is obeyed, a race finds one, and a file that is none is left out.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { notesPath, parseNotes, readNotes, writeNotes } from "../src/device/adapter-notes.node.ts";
import { Device, openDevice, planningDevice, type TunedRow, tuneProducts, typicalCard } from "../src/index.ts";
import { matmulInto } from "../src/ops/matmul/dispatch.ts";
import { checked, type MatmulCall } from "../src/ops/matmul/problem.ts";
import { choicesFor, dispatchChoice, isTuning, type Tuning, tuningKey } from "../src/ops/matmul/tuning.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice({ family: "workgroup" });
});
afterAll(() => device.close());

const values = (size: number): Float32Array => Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i * i));

function callOf(on: Device, m: number, n: number, k: number): MatmulCall {
  const [a, b] = [on.tensor(values(m * k), [m, k]), on.tensor(values(n * k), [n, k])];
  return { layout: "nt", a, b, out: on.empty([m, n]), m, n, k };
}

test("every choice gives the bits of the usual way", async () => {
  const call = callOf(device, 7, 68, 520);
  matmulInto(device, call);
  const right = await call.out.values();
  const names = choicesFor(device, checked(call));
  expect(names).toEqual([
    ...[2, 4, 8].map((rows) => `few rows, ${rows} at once`),
    ...["wide", "square", "narrow"].flatMap((tile) => [`${tile} tile`, `${tile} tile, K split`]),
  ]);
  for (const name of ["few rows, 8 at once", "narrow tile", "square tile, K split"]) {
    call.out.write(new Float32Array(7 * 68));
    expect(dispatchChoice(device, checked(call), name)).toBe(true);
    expect(await call.out.values(), name).toEqual(right);
  }
  expect(dispatchChoice(device, checked(call), "few rows, 1 at once")).toBe(false);
  expect(dispatchChoice(device, checked(call), "no such kernel")).toBe(false);
  for (const { a, b, out } of [call]) for (const tensor of [a, b, out]) tensor.dispose();
});

test("a table is obeyed where it fits, and no other way is taken for other products", async () => {
  const { gpu, facts } = device;
  const call = callOf(device, 7, 68, 520);
  const tuned = new Device(
    gpu,
    { ...facts, tuning: { [tuningKey(checked(call))]: "narrow tile, K split" } },
    2 ** 30,
    false,
  );
  const kernels = async (m: number, table?: Tuning): Promise<string[]> => {
    const own = callOf(tuned, m, 68, 520);
    const times = await tuned.profile(() => matmulInto(tuned, own, table));
    for (const tensor of [own.a, own.b, own.out]) tensor.dispose();
    return times.map(({ kernel }) => kernel).sort();
  };
  expect(await kernels(7)).toEqual(["matmul_merge", "matmul_panels/nt/64x32"]);
  expect(await kernels(2)).toEqual(["matmul_few_rows/4/16x8"]);
  expect(await kernels(7, {})).toEqual(["matmul_few_rows/4/16x8"]);
  tuned.close();
  for (const tensor of [call.a, call.b, call.out]) tensor.dispose();
});

test("a race times what is asked for, and gives a table, which keeps what the former one says of other products", async () => {
  const rows: TunedRow[] = [];
  const others = { "nn/bf16/4096/64/512": "narrow tile" };
  const former = { "nt/bf16/8/20/64": "wide tile", ...others };
  const again = new Device(device.gpu, { ...device.facts, tuning: former }, 2 ** 30, false);
  const tuning = await tuneProducts(again, [{ layout: "nt", dtype: "bf16", m: 8, n: 20, k: 64 }], {
    onRow: (row) => rows.push(row),
  });
  again.close();
  expect(rows.length).toBe(1);
  const choice = rows[0]?.choice;
  expect(tuning).toEqual({ ...others, ...(choice !== undefined && { "nt/bf16/8/20/64": choice }) });
  expect(isTuning(tuning)).toBe(true);
  expect(rows[0]?.microseconds).toBeGreaterThan(0);
  const aborted = tuneProducts(device, [{ layout: "nt", dtype: "f32", m: 8, n: 64, k: 512 }], {
    signal: AbortSignal.abort(),
  });
  await expect(aborted).rejects.toThrow(/abort/i);
});

test("beside tensor cores there is a choice for what they do not take", () => {
  const matrices = { m: 16, n: 16, k: 16, lanes: 32, isAskedFor: true };
  using beside = planningDevice({ ...typicalCard, family: "matrix", matrices });
  using card = planningDevice(typicalCard);
  const namesOn = (on: Device, m: number, n: number): string[] => {
    const [a, b, out] = [on.empty([m, 512]), on.empty([n, 512]), on.empty([m, n])];
    const names = choicesFor(on, checked({ layout: "nt", a, b, out, m, n, k: 512 }));
    for (const tensor of [a, b, out]) tensor.dispose();
    return names;
  };
  for (const [m, n] of [
    [8, 512],
    [512, 16],
  ] as const) {
    expect(namesOn(beside, m, n)).toEqual(namesOn(card, m, n));
    expect(namesOn(beside, m, n).length).toBeGreaterThan(1);
  }
  expect(namesOn(beside, 512, 512)).toEqual([]);
});

test("notes are kept for an adapter, and read when it is opened", async () => {
  const folder = mkdtempSync(join(tmpdir(), "iapo-notes-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv("XDG_CACHE_HOME", folder);
  const key = "nt/bf16/8/64/512";
  writeNotes(device.facts, { memory: 2 ** 33 });
  const path = writeNotes(device.facts, { tuning: { [key]: "wide tile" } });
  expect(readNotes(device.facts, () => {})).toEqual({ memory: 2 ** 33, tuning: { [key]: "wide tile" } });
  expect(readNotes({ ...device.facts, description: "another driver" }, () => {})).toEqual({});
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
  const opened = await openDevice({ family: "workgroup" });
  expect(opened.facts.tuning).toEqual({ [key]: "wide tile" });
  opened.close();
  writeFileSync(path, "{");
  const other = await openDevice();
  expect(other.facts.tuning).toEqual({});
  other.close();
  expect(warned.mock.calls.flat().join()).toMatch(/is left out: .*Remove it/);
  vi.unstubAllEnvs();
});

test.each([
  ["[]", /is no/],
  ['{"format":"iapo-adapter-notes 2"}', /is no/],
  ['{"format":"iapo-adapter-notes 1","memory":1e99}', /memory/],
  ['{"format":"iapo-adapter-notes 1","memory":"much"}', /memory/],
  ['{"format":"iapo-adapter-notes 1","tuning":{"nt/bf16/8/64/512":"rm"}}', /tuning/],
  ['{"format":"iapo-adapter-notes 1","tuning":{"__proto__ ":"wide tile"}}', /tuning/],
  ['{"format":"iapo-adapter-notes 1","tuning":[]}', /tuning/],
])("%s is no file of notes", (text, message) => {
  expect(() => parseNotes(text)).toThrow(message);
});

test("a file that is too large is not read", () => {
  const folder = mkdtempSync(join(tmpdir(), "iapo-notes-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv("XDG_CACHE_HOME", folder);
  const path = notesPath(device.facts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, " ".repeat(2 ** 20 + 1));
  const said: string[] = [];
  expect(readNotes(device.facts, (message) => said.push(message))).toEqual({});
  expect(said.join()).toMatch(/more than/);
  vi.unstubAllEnvs();
});
