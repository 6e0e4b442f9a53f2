// What a tracker hears of a run, whatever fails between; and the offline file of Weights & Biases, read by a reader of its own.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { writeStep } from "@iapo/rollout-trace/files";
import { expect, test } from "vitest";
import { finite, flat, RunLog, type Tracker } from "../../src/log/run-log.ts";
import { openTracker } from "../../src/log/trackers.ts";
import { offlineRun } from "../../src/log/wandb.ts";
import { expectRefusal, temporaryFolder } from "../support/iapo.ts";

/** Remembers what it is sent; `fail` says when it does not answer. */
function memory(fail: () => boolean = () => false) {
  const sent: number[] = [];
  const ids = new Set<string>();
  const ends: boolean[] = [];
  const tracker: Tracker = {
    name: "memory",
    async send({ id }, steps) {
      if (fail()) throw new Error("does not answer");
      ids.add(id);
      sent.push(...steps.map(({ step }) => step));
    },
    async end(_, done) {
      ends.push(done);
    },
  };
  return { tracker, sent, ids, ends };
}

async function publish(directory: string, step: number): Promise<void> {
  mkdirSync(join(directory, "steps"), { recursive: true });
  await writeStep(join(directory, "steps"), {
    step,
    traces: [],
    log: { samples: [], updates: [], metrics: { loss: step } },
  });
}

test("each step once: steps of a killed start that were published but not sent come first, those that were sent do not come again", async () => {
  const directory = temporaryFolder();
  const { tracker, sent, ids, ends } = memory();
  const run = { directory, config: {} };
  await publish(directory, 0);
  const first = await RunLog.open(tracker, run, () => {});
  await publish(directory, 1);
  first.add(1, { loss: 1 });
  await first.close(false);
  await publish(directory, 2); // its process is killed before it tells
  const second = await RunLog.open(tracker, run, () => {});
  second.add(1, { loss: 1 }); // made again from the checkpoint
  second.add(2, { loss: 2 });
  second.add(3, { loss: 3 });
  await second.close(true);
  expect(sent).toEqual([0, 1, 2, 3]);
  expect(ids.size).toBe(1);
  expect(ends).toEqual([false, true]);
});

test("one that does not answer is told of once, and gets all when it does", async () => {
  const directory = temporaryFolder();
  let down = true;
  const { tracker, sent } = memory(() => down);
  const warnings: string[] = [];
  const log = await RunLog.open(tracker, { directory, config: {} }, (words) => warnings.push(words));
  for (const step of [0, 1, 2]) log.add(step, { loss: step });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(warnings).toEqual(["memory: does not answer"]);
  down = false;
  log.add(3, { loss: 3 });
  await log.close(true);
  expect(sent).toEqual([0, 1, 2, 3]);
  down = true;
  const later = await RunLog.open(tracker, { directory, config: {} }, (words) => warnings.push(words));
  later.add(4, { loss: 4 });
  await later.close(true);
  expect(warnings.at(-1)).toMatch(/1 steps were not sent to memory: iapo train --resume/);
});

test("a damaged state begins a run of its own, and loses no step", async () => {
  const directory = temporaryFolder();
  await publish(directory, 0);
  writeFileSync(join(directory, "log-memory.json"), '{"id": 5');
  const { tracker, sent } = memory();
  await (await RunLog.open(tracker, { directory, config: {} }, () => {})).close(true);
  expect(sent).toEqual([0]);
  expect(JSON.parse(readFileSync(join(directory, "log-memory.json"), "utf8"))).toMatchObject({ sent: 1 });
});

test("values that are not finite have no place; configurations become flat", () => {
  expect(finite({ a: 1, b: Number.NaN, c: null as never, d: Number.POSITIVE_INFINITY })).toEqual([["a", 1]]);
  expect(flat({ model: { lora: { rank: 4 } }, steps: [1, 2], none: null })).toEqual([
    ["model.lora.rank", "4"],
    ["steps.0", "1"],
    ["steps.1", "2"],
    ["none", "null"],
  ]);
});

test("the offline file: records of any length, over the ends of blocks, with right checksums", () => {
  const steps = Array.from({ length: 400 }, (_, step) => ({
    step,
    metrics: { [`long/${"x".repeat((step * 37) % 900)}`]: step / 7 },
  }));
  const bytes = offlineRun({ id: "abc", name: "run", config: { text: "y".repeat(100_000) } }, steps, {
    project: "p",
    entity: "",
    done: true,
  });
  expect(bytes.subarray(0, 7)).toEqual(Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0]));
  const records: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = 7; at < bytes.length; ) {
    const left = 32_768 - (at % 32_768);
    if (left <= 7) {
      expect(bytes.subarray(at, at + left).every((byte) => byte === 0)).toBe(true);
      at += left;
      continue;
    }
    const [sum, length, type] = [bytes.readUInt32LE(at), bytes.readUInt16LE(at + 4), bytes.readUInt8(at + 6)];
    const data = bytes.subarray(at + 7, at + 7 + length);
    expect(length).toBeLessThanOrEqual(left - 7);
    expect(crc32(data, crc32(Buffer.of(type)))).toBe(sum);
    open.push(data);
    if (type === 1 || type === 4) {
      records.push(Buffer.concat(open));
      open = [];
    }
    at += 7 + length;
  }
  expect(open).toEqual([]);
  expect(records).toHaveLength(400 + 4); // header, run, summary, exit
  expect(records[2 + 399]!.includes(JSON.stringify(399 / 7))).toBe(true);
});

test("a tracker that is none, or whose address is not said, is refused before anything begins", async () => {
  await expectRefusal(["train", "nano-grpo", "--log", "mlflo"], 2, /there is trackio, wandb, mlflow/);
  await expectRefusal(["train", "nano-grpo", "--log", "mlflow"], 2, /MLFLOW_TRACKING_URI/);
  expect(() => openTracker("trackio", {})).toThrow(/TRACKIO_SERVER_URL/);
});

/** What `send` of mlflow says against a server. */
async function mlflowSays(answer: RequestListener, env: (origin: string) => Record<string, string>): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const run = { id: "i", name: "n", directory: ".", config: {} };
  const tracker = openTracker("mlflow", env(`127.0.0.1:${port}`));
  const words = await tracker.send(run, []).then(String, ({ message }: Error) => message);
  server.closeAllConnections();
  server.close();
  return words;
}

test("a tracker's key is sent, in each way in which it is given, and in no message", async () => {
  const echo: RequestListener = ({ headers }, response) =>
    response.writeHead(403).end(`you sent ${headers.authorization}`);
  const token = (text: string) => (at: string) => ({
    MLFLOW_TRACKING_URI: `http://${at}`,
    MLFLOW_TRACKING_TOKEN: text,
  });
  expect(await mlflowSays(echo, token("secret-token\n"))).toMatch(/answers 403: you sent Bearer \*\*\*$/);
  expect(await mlflowSays(echo, token("secret\ntoken"))).not.toMatch(/secret/);
  expect(await mlflowSays(echo, (at) => ({ MLFLOW_TRACKING_URI: `http://me:secret@${at}/` }))).toMatch(
    /^http:\/\/127[^@]*answers 403: you sent Basic \*\*\*$/,
  );
  const user = { MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "secret" };
  expect(await mlflowSays(echo, (at) => ({ MLFLOW_TRACKING_URI: `http://${at}`, ...user }))).toMatch(
    /sent Basic \*\*\*$/,
  );
});

test("a tracker's answers are bounded, and lead nowhere", async () => {
  const address = (at: string) => ({ MLFLOW_TRACKING_URI: `http://${at}` });
  const page: RequestListener = (_, response) => response.end("x".repeat(2 ** 23));
  expect(await mlflowSays(page, address)).toMatch(/longer than 4194304 bytes/);
  const moved: RequestListener = (_, response) => response.writeHead(302, { location: "http://other/" }).end();
  expect(await mlflowSays(moved, address)).toMatch(/answers 302: it has another address, http:\/\/other\//);
  expect(() => openTracker("mlflow", { MLFLOW_TRACKING_URI: "http://" })).toThrow("MLFLOW_TRACKING_URI: set it");
  expect(() => openTracker("trackio", { TRACKIO_SERVER_URL: "http://" })).toThrow("TRACKIO_SERVER_URL: set it");
});
