// Event files, read back by other people's parsers: protobufjs with TensorFlow's message definitions, and SheetJS's CRC-32C.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stepPath, writeStep } from "@iapo/rollout-trace/files";
import sheet from "crc-32/crc32c.js";
import fc from "fast-check";
import protobuf from "protobufjs";
import { expect, onTestFinished, test } from "vitest";
import { crc32c } from "../src/tensorboard/crc32c.ts";
import { scalarRecord, versionRecord } from "../src/tensorboard/event.ts";
import { EventFile, eventFileName } from "../src/tensorboard/event-file.ts";

/** From tensorflow/core/util/event.proto and framework/summary.proto: the fields that scalars use. */
const messages = protobuf.Root.fromJSON({
  nested: {
    Value: { fields: { tag: { type: "string", id: 1 }, simpleValue: { type: "float", id: 2 } } },
    Summary: { fields: { value: { rule: "repeated", type: "Value", id: 1 } } },
    Event: {
      fields: {
        wallTime: { type: "double", id: 1 },
        step: { type: "int64", id: 2 },
        fileVersion: { type: "string", id: 3 },
        summary: { type: "Summary", id: 5 },
      },
    },
  },
});

interface Read {
  wallTime: number;
  step: number;
  fileVersion: string;
  summary: null | { value?: { tag: string; simpleValue: number }[] };
}

/** The events of a file; both checksums of each frame must hold. */
function parse(bytes: Buffer): Read[] {
  const masked = (part: Uint8Array): number => {
    const crc = sheet.buf(part) >>> 0;
    return Number((((BigInt(crc) >> 15n) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn);
  };
  const events: Read[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(data));
    const type = messages.lookupType("Event");
    events.push(type.toObject(type.decode(data), { longs: Number, defaults: true }) as Read);
    at += 16 + length;
  }
  return events;
}

function scalarsOf({ summary }: Read): Record<string, number> {
  return Object.fromEntries((summary?.value ?? []).map(({ tag, simpleValue }) => [tag, simpleValue]));
}

test("the checksum is the published one", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa); // RFC 3720, B.4
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(crc32c(bytes)).toBe(sheet.buf(bytes) >>> 0);
    }),
  );
});

test("any step, names and values are read back as they were written", () => {
  const name = fc.string({ unit: "binary", maxLength: 60 });
  const value = fc.oneof(
    fc.double(),
    fc.constant(null),
    fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, 1e300),
  );
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.double({ noNaN: true }),
      fc.dictionary(name, value, { maxKeys: 40 }),
      (step, wallTime, scalars) => {
        const [version, event] = parse(
          Buffer.concat([versionRecord(wallTime), scalarRecord({ wallTime, step, scalars })]),
        );
        expect(version).toMatchObject({ wallTime, fileVersion: "brain.Event:2" });
        expect([event?.wallTime, event?.step]).toEqual([wallTime, step]);
        const expected = Object.entries(scalars).map(([tag, value]) => [tag, Math.fround(value ?? Number.NaN)]);
        expect(Object.entries(scalarsOf(event!))).toEqual(expected);
      },
    ),
    { numRuns: process.env.IAPO_FULL ? 3000 : 60 },
  );
});

async function newRun(): Promise<string> {
  const run = await mkdtemp(join(tmpdir(), "iapo-events-"));
  onTestFinished(() => rm(run, { recursive: true }));
  return run;
}

const metricsOf = (step: number): Record<string, number> => ({ "reward/outcome": step / 8, "actor/lr": 2 ** -step });

async function publish(run: string, step: number): Promise<void> {
  await writeStep(join(run, "steps"), {
    step,
    traces: [],
    log: { samples: [], updates: [], metrics: metricsOf(step) },
  });
}

async function read(run: string): Promise<Read[]> {
  return parse(await readFile(join(run, eventFileName)));
}

test("a run that was killed after unpublished steps goes on with each step once", async () => {
  const run = await newRun();
  const first = new EventFile(run);
  for (const step of [0, 1, 2, 3]) first.add(step, metricsOf(step));
  await first.close();
  for (const step of [0, 1]) await publish(run, step); // a checkpoint held these two
  const second = new EventFile(run);
  for (const step of [2, 3, 4]) {
    second.add(step, metricsOf(step));
    await publish(run, step); // the rebuilding may not take what is added after it
  }
  await second.close();
  const [version, ...events] = await read(run);
  expect(version?.fileVersion).toBe("brain.Event:2");
  expect(events.map((event) => [event.step, scalarsOf(event)])).toEqual(
    [0, 1, 2, 3, 4].map((step) => [step, metricsOf(step)]),
  );
  const times = events.map(({ wallTime }) => wallTime);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("the same steps and timings give the same bytes; a step done again counts once", async () => {
  const run = await newRun();
  for (const step of [0, 1]) await publish(run, step);
  const line = (step: number, update: number): string =>
    `{"step":${step},"timing_s/rollout":1,"timing_s/update":${update},"memory/reserved_gib":${step}.5}\n`;
  await writeFile(join(run, "timings.jsonl"), `${line(0, 0.5)}${line(1, 7)}${line(1, 0.25)}{"step":2,"timi`);
  await new EventFile(run).close();
  const once = await readFile(join(run, eventFileName));
  await new EventFile(run).close();
  expect(await readFile(join(run, eventFileName))).toEqual(once);
  const events = parse(once);
  expect(events.map(({ wallTime }) => wallTime)).toEqual([0, 1.5, 2.75]); // memory is no time
  expect(events.slice(1).map((event) => scalarsOf(event))).toEqual(
    [0, 1].map((step) => ({ ...metricsOf(step), "memory/reserved_gib": step + 0.5 })),
  );
});

test("a damaged step is named, and the file that was there stays", async () => {
  const run = await newRun();
  await publish(run, 0);
  await new EventFile(run).close();
  const before = await readFile(join(run, eventFileName));
  const path = stepPath(join(run, "steps"), 0);
  await writeFile(path, (await readFile(path, "utf8")).slice(0, -20));
  await expect(new EventFile(run).close()).rejects.toThrow(/step-000000\.jsonl, line/);
  expect(await readFile(join(run, eventFileName))).toEqual(before);
  expect((await readdir(run)).sort()).toEqual([eventFileName, "steps"]);
});
