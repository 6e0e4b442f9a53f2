/** Step files: what is written is read, in pieces and with filters; where damage is, and what a run finds when it goes on. */
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkStep,
  listSteps,
  openStep,
  publishStep,
  readEntries,
  readRun,
  readStep,
  readTraces,
  recoverSteps,
  stepPath,
  writeStep,
} from "../src/files/index.ts";
import { openLine, sealLine, splitLines } from "../src/files/lines.ts";
import { type StepLog, TraceError } from "../src/index.ts";
import { exampleStep, smallStep } from "./episodes.ts";
import { steps } from "./random-steps.ts";

const full = process.env.IAPO_FULL === "1";
let root: string;
let count = 0;
const directory = (): string => join(root, `${count++}`);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "step-files-"));
});
afterAll(() => rm(root, { recursive: true }));

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function readBytes(bytes: Uint8Array, size = 65_536): Promise<unknown[]> {
  return collect(readEntries(inChunks(bytes, size), "file"));
}

async function failure(promise: Promise<unknown>): Promise<TraceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TraceError);
  return error as TraceError;
}

async function exampleBytes(): Promise<Buffer> {
  return readFile(await writeStep(directory(), (await exampleStep()).step));
}

describe("writing and reading", () => {
  test("any step comes back as it was, to the bit", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (make) => {
        const { step } = await make();
        const path = await writeStep(directory(), step);
        expect(await readStep(path)).toEqual(step);
      }),
      { numRuns: full ? 500 : 60 },
    );
  });

  test("the same step gives the same bytes; images go out as references; the prompt stands once a group", async () => {
    const { step, source } = await exampleStep();
    const withPixels = {
      ...step,
      traces: step.traces.map((trace) => ({
        ...trace,
        task: {
          ...trace.task,
          content: { ...trace.task.content, image: source.images.get(trace.task.content.image.id), note: undefined },
        },
      })),
    };
    const bytes = await exampleBytes();
    expect(await readFile(await writeStep(directory(), withPixels))).toEqual(bytes);
    expect(bytes.toString().split('"0-query"').length - 1).toBe(2);
    const lines = bytes.toString().trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).kind)).toEqual([
      "step",
      "group",
      "sample",
      "sample",
      "group",
      "sample",
      "shaping",
      "update",
      "metrics",
      "end",
    ]);
  });

  test("chunks of any size are read alike", async () => {
    const bytes = await exampleBytes();
    const whole = await readBytes(bytes);
    for (const size of [1, 7, 100]) expect(await readBytes(bytes, size)).toEqual(whole);
  });

  test("filters, over one file and over a run", async () => {
    const place = directory();
    for (const number of [0, 1, 12]) await writeStep(place, (await exampleStep(number)).step);
    const names = async (filter: Parameters<typeof readRun>[1]): Promise<string[]> =>
      (await collect(readRun(place, filter))).map(({ step, group, sample }) => `${step}.${group}.${sample}`);
    expect(await names({})).toHaveLength(9);
    expect(await names({ steps: { from: 1, to: 11 } })).toEqual(["1.0.0", "1.0.1", "1.1.0"]);
    expect(await names({ taskIds: ["task-1"], steps: { from: 1 } })).toEqual(["1.1.0", "12.1.0"]);
    expect(await names({ toolStatus: "no_tool" })).toEqual(["0.0.1", "1.0.1", "12.0.1"]);
    expect(await names({ where: ({ rewards }) => rewards.outcome === 1, steps: { to: 0 } })).toEqual([
      "0.0.0",
      "0.1.0",
    ]);
    expect((await collect(readTraces(stepPath(place, 12)))).map(({ step }) => step)).toEqual([12, 12, 12]);
    expect(await listSteps(join(root, "nowhere"))).toEqual([]);
  });

  test("a trace of another group, prompt or step is refused, and the step can still be written", async () => {
    const { step } = await exampleStep();
    const [one, two, three] = step.traces;
    const writer = await openStep(directory(), 3);
    expect((await failure(writer.group([one!, three!]))).code).toBe("inconsistent");
    expect((await failure(writer.group([one!, { ...two!, task: { ...two!.task, content: "other" } }]))).code).toBe(
      "inconsistent",
    );
    expect((await failure(writer.group([{ ...one!, step: 4 }]))).code).toBe("inconsistent");
    expect((await failure(writer.group([two!, one!]))).code).toBe("inconsistent");
    expect((await failure(writer.group([{ ...one!, rewards: { outcome: Number.NaN } }]))).code).toBe("invalid");
    await writer.group([three!]);
    expect((await failure(writer.group([one!, two!]))).code).toBe("inconsistent");
    await writer.log({ samples: [], updates: [], metrics: {} });
    await writer.finish();
    const place = await publishStep(join(root, `${count - 1}`), 3);
    expect((await readStep(place)).traces).toEqual([three]);
  });
});

describe("damage", () => {
  /** Where reading ends: code, line, and what was handed out before. One line of it, as thousands are made. */
  async function ending(bytes: Uint8Array): Promise<string> {
    const got: unknown[] = [];
    try {
      for await (const entry of readEntries(inChunks(bytes, 65_536), "file")) got.push(entry);
      return "whole";
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      return `${error.code}, ${error.message.split(":")[0]}, ${got.length} ${isDeepStrictEqual(got, untouched.slice(0, got.length))}`;
    }
  }
  let bytes: Buffer;
  let untouched: unknown[];
  let lines: number[];
  /** Line of each byte, and how many entries come before that line. */
  const before = [0, 1, 1, 2, 3, 4, 5];
  beforeAll(async () => {
    bytes = await readFile(await writeStep(directory(), (await smallStep()).step));
    untouched = await readBytes(bytes);
    let line = 1;
    lines = Array.from(bytes, (byte) => (byte === 0x0a ? line++ : line));
  });

  test("a file cut at any byte is torn, at the line of the cut", async () => {
    const endings: string[] = [];
    for (let length = 0; length < bytes.length; length++) endings.push(await ending(bytes.subarray(0, length)));
    expect(endings).toEqual(lines.map((line) => `torn, file, line ${line}, ${before[line - 1]} true`));
    expect(await ending(bytes)).toBe("whole");
  });

  test("a changed byte is corrupt, at its line, and no altered trace is handed out", async () => {
    const endings: string[] = [];
    for (let place = 0; place < bytes.length; place++) {
      const changed = Buffer.from(bytes);
      changed[place] = changed[place]! ^ (1 << (place % 8));
      endings.push(await ending(changed));
    }
    const code = (place: number): string => (place === bytes.length - 1 ? "torn" : "corrupt");
    expect(endings).toEqual(lines.map((line, place) => `${code(place)}, file, line ${line}, ${before[line - 1]} true`));
  });

  test("lines that are lost, doubled or swapped are noticed where it happens", async () => {
    const lines = (await exampleBytes()).toString("latin1").trimEnd().split("\n");
    const read = async (order: readonly string[]): Promise<string> =>
      (await failure(readBytes(Buffer.from(`${order.join("\n")}\n`, "latin1")))).message.split(":")[0]!;
    expect(await read(lines.toSpliced(3, 1))).toBe("file, line 4");
    expect(await read(lines.toSpliced(3, 0, lines[3]!))).toBe("file, line 5");
    expect(await read(lines.toSpliced(2, 2, lines[3]!, lines[2]!))).toBe("file, line 3");
    expect(await read([...lines, lines.at(-1)!])).toBe("file, line 11");
  });

  test("a file that is damaged on disk is named, with what to do", async () => {
    const path = await writeStep(directory(), (await exampleStep()).step);
    await truncate(path, 1000);
    expect((await failure(readStep(path))).message).toMatch(
      /step-000003\.jsonl, line \d+: .*; restore a copy of the file, or delete it/,
    );
    expect((await failure(readStep(`${path}.gone`))).code).toBe("read_failed");
  });
});

describe("hostile files with right checksums", () => {
  type Json = Record<string, unknown>;
  const base64 = (bytes: number): string => Buffer.alloc(bytes).toString("base64");

  async function forged(change: (records: Json[]) => Json[]): Promise<TraceError> {
    const lines = (await exampleBytes()).toString().trimEnd().split("\n");
    const records = lines.map((line): Json => {
      const { crc32: _checksum, ...record } = JSON.parse(line) as Json;
      return record;
    });
    let checksum = 0;
    const sealed = change(records).map((record) => {
      const next = sealLine(record, checksum);
      checksum = next.checksum;
      return next.line;
    });
    return failure(readBytes(Buffer.concat(sealed)));
  }
  const edit = (index: number, change: (record: Json) => Json) => (records: Json[]) =>
    records.with(index, change(records[index]!));
  const editTurn = (change: Json) =>
    edit(2, (record) => ({
      ...record,
      turns: (record.turns as Json[]).with(0, { ...(record.turns as Json[])[0], ...change }),
    }));

  test.each<[string, (records: Json[]) => Json[], string, number]>([
    ["another version", edit(0, (record) => ({ ...record, version: 3 })), "version", 1],
    ["no first line", (records) => records.slice(1), "invalid", 1],
    ["two first lines", (records) => [records[0]!, ...records], "invalid", 2],
    ["an unknown kind", edit(1, (record) => ({ ...record, kind: "grup" })), "invalid", 2],
    ["an unknown key", edit(1, (record) => ({ ...record, extra: 1 })), "invalid", 2],
    ["a sample before its group", (records) => records.toSpliced(1, 1), "invalid", 2],
    ["a group twice", (records) => records.toSpliced(4, 0, records[1]!), "invalid", 5],
    ["a sample twice", (records) => records.toSpliced(3, 0, records[2]!), "invalid", 4],
    ["the log before the traces", (records) => [records[0]!, records[6]!, ...records.slice(1)], "invalid", 3],
    ["two logs", (records) => records.toSpliced(6, 0, records[6]!), "invalid", 8],
    ["a wrong count of lines", edit(9, (record) => ({ ...record, lines: 1e9 })), "corrupt", 10],
    ["tokens of half a number", editTurn({ tokens: base64(7) }), "invalid", 3],
    ["more tokens than blocks", editTurn({ tokens: base64(400) }), "invalid", 3],
    ["more log-probs than sampled tokens", editTurn({ logProbs: base64(4000) }), "invalid", 3],
    ["a block that is not there", editTurn({ blocks: Buffer.of(99, 0, 99, 0).toString("base64") }), "invalid", 3],
    ["a loss mask of twos", editTurn({ lossMask: Buffer.of(2, 2).toString("base64") }), "invalid", 3],
    ["positions of another length", editTurn({ positions: base64(4) }), "invalid", 3],
    ["a number that is text", edit(2, (record) => ({ ...record, sample: "0" })), "invalid", 3],
    ["a reward beyond all numbers", edit(2, (record) => ({ ...record, rewards: { outcome: null } })), "invalid", 3],
  ])("%s", async (_name, change, code, line) => {
    const error = await forged(change);
    expect([error.code, error.message.split(":")[0]]).toEqual([code, `file, line ${line}`]);
  });

  test("a key named __proto__ changes no prototype", async () => {
    const text = (await exampleBytes()).toString().split("\n")[2]!;
    const body = text
      .slice(0, text.lastIndexOf(',"crc32"'))
      .replace('"outcome":1', '"__proto__":{"polluted":1},"outcome":1');
    const line = Buffer.from(`${body},"crc32":"${crc32(body).toString(16).padStart(8, "0")}"}`);
    const { record } = openLine(line, 0);
    expect(Object.keys((record as { rewards: object }).rewards)).toContain("__proto__");
    expect(({} as Json).polluted).toBeUndefined();
  });

  test("a line without end is refused when it passes the bound, not when memory ends", async () => {
    let produced = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        produced += 1000;
        yield new Uint8Array(1000);
      }
    }
    expect((await failure(collect(splitLines(endless(), 10_000)))).code).toBe("too_large");
    expect(produced).toBe(11_000);
  });

  test("noise is refused, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 9 }), async (noise, size) => {
        expect(["corrupt", "torn"]).toContain((await failure(readBytes(noise, size))).code);
      }),
      { numRuns: full ? 2000 : 100 },
    );
  });
});

describe("a run that goes on", () => {
  test("finished steps before the cursor are published, unpublished ones from the cursor on are deleted, published ones stay", async () => {
    const place = directory();
    for (const number of [0, 1, 2]) await writeStep(place, (await exampleStep(number)).step);
    const writer = await openStep(place, 3);
    await writer.group((await exampleStep(3)).step.traces.slice(0, 2));
    await writer.finish();
    await writeFile(`${stepPath(place, 4)}.partial`, '{"kind":');
    await writeFile(join(place, "notes.txt"), "not ours");
    expect(await recoverSteps(place, 4)).toEqual({ published: [3], deleted: [4], ahead: [], missing: [] });
    expect((await readdir(place)).sort()).toEqual([
      "notes.txt",
      ...[0, 1, 2, 3].map((step) => `step-00000${step}.jsonl`),
    ]);
    expect(await recoverSteps(place, 2)).toEqual({ published: [], deleted: [], ahead: [2, 3], missing: [] });
    expect((await listSteps(place)).map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    await rm(stepPath(place, 1));
    expect(await recoverSteps(place, 6)).toEqual({ published: [], deleted: [], ahead: [], missing: [1, 4, 5] });
  });

  test("a published step that is made again is compared: equal it stays, another is refused and both are kept", async () => {
    const place = directory();
    const { step } = await exampleStep(0);
    const again = async (metrics: StepLog["metrics"]) => {
      const writer = await openStep(place, 0, true);
      for (const traces of Map.groupBy(step.traces, ({ group }) => group).values()) await writer.group(traces);
      await writer.log({ ...step.log, metrics });
      await writer.finish();
      return publishStep(place, 0);
    };
    await writeStep(place, step);
    const before = await readFile(stepPath(place, 0));
    await again(step.log.metrics);
    expect(await readdir(place)).toEqual(["step-000000.jsonl"]);
    expect((await failure(again({ other: 1 }))).code).toBe("inconsistent");
    expect(await readFile(stepPath(place, 0))).toEqual(before);
    expect((await readdir(place)).sort()).toEqual(["step-000000.jsonl", "step-000000.jsonl.partial"]);
  });

  test("any flipped bit, and the file of another step, are found without decoding", async () => {
    const place = directory();
    const path = await writeStep(place, (await exampleStep(0)).step);
    await checkStep(path, 0);
    expect(await failure(checkStep(path, 1))).toMatchObject({
      code: "invalid",
      message: `${path}, line 1: it says step 0, not 1`,
    });
    const bytes = await readFile(path);
    for (let at = 0; at < bytes.length; at += full ? 7 : Math.ceil(bytes.length / 60)) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 4, at);
      await writeFile(path, damaged);
      const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).length + 1;
      expect((await failure(recoverSteps(place, 1))).message).toContain(`${path}, line ${line}: `);
      await writeFile(path, bytes.subarray(0, at));
      expect((await failure(checkStep(path, 0))).code).toBe("torn");
    }
  });

  test("a step that the checkpoint holds but the disk does not is named", async () => {
    const place = directory();
    await writeStep(place, (await exampleStep(0)).step);
    await writeFile(`${stepPath(place, 1)}.partial`, '{"kind":');
    const error = await failure(recoverSteps(place, 2));
    expect([error.code, error.message]).toEqual(["torn", expect.stringContaining("step-000001.jsonl.partial, line 1")]);
  });
});
