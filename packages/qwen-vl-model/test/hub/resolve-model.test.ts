import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { QwenVLError } from "../../src/config.ts";
import { type DownloadProgress, type ResolveModelOptions, resolveModel } from "../../src/hub/index.ts";
import { HubServer } from "./server.ts";

const MODEL = "test-owner/test-model";
const SHARD = "model-00001-of-00002.safetensors";
let root: string;
let checkpoint: string;
let cache: string;
let hub: HubServer;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hub-"));
  checkpoint = join(root, "checkpoint");
  const tensor = (name: string, seed: number) => ({
    name,
    dtype: "F32" as const,
    shape: [100, 100],
    data: () => [Uint8Array.from({ length: 40_000 }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24)],
  });
  await writeSafetensorsShards(checkpoint, [tensor("a", 1), tensor("b", 2)], { maxShardBytes: 40_000 });
  writeFileSync(join(checkpoint, "config.json"), "{}");
  writeFileSync(join(checkpoint, "chat_template.jinja"), "");
  writeFileSync(join(checkpoint, "README.md"), "not needed");
});

beforeEach(async () => {
  cache = mkdtempSync(join(root, "cache-"));
  hub = await HubServer.start();
  for (const name of readdirSync(checkpoint)) {
    hub.files.set(name, { content: readFileSync(join(checkpoint, name)), large: name.endsWith(".safetensors") });
  }
});

afterEach(() => hub[Symbol.asyncDispose]());
afterAll(() => rmSync(root, { recursive: true, force: true }));

function resolve(options: ResolveModelOptions = {}): Promise<string> {
  return resolveModel(MODEL, { cacheDirectory: cache, hubUrl: hub.url, offline: false, ...options });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof QwenVLError) return error.code;
  throw new Error("expected a QwenVLError", { cause: error });
}

async function expectWhole(directory: string): Promise<void> {
  for (const [name, { content }] of hub.files) {
    if (name !== "README.md") expect(readFileSync(join(directory, name)).equals(content), name).toBe(true);
  }
  await using reader = await openSafetensors(directory);
  expect(reader.tensors.size).toBe(2);
}

test("downloads what a model needs into the standard layout, with progress; a second time it transfers nothing", async () => {
  const progress: DownloadProgress[] = [];
  const directory = await resolve({ onProgress: (step) => progress.push(step) });
  await expectWhole(directory);
  const repository = join(cache, "models--test-owner--test-model");
  expect(directory).toBe(join(repository, "snapshots", hub.commit));
  expect(readFileSync(join(repository, "refs", "main"), "utf8")).toBe(hub.commit);
  expect(readdirSync(directory)).not.toContain("README.md");
  const blob = hub.hashOf(hub.files.get(SHARD)!);
  expect(lstatSync(join(directory, SHARD)).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(directory, SHARD))).toBe(join("..", "..", "blobs", blob));
  expect(readdirSync(join(repository, "blobs")).some((name) => name.endsWith(".incomplete"))).toBe(false);
  const last = progress.at(-1)!;
  expect(last.bytes).toBe(last.total);
  expect(progress.every(({ bytes }, i) => i === 0 || bytes >= progress[i - 1]!.bytes)).toBe(true);

  const requests = hub.requests.length;
  expect(await resolve()).toBe(directory);
  expect(hub.requests.slice(requests).some(({ path }) => path.includes("/resolve/"))).toBe(false);
});

test("works offline from the cache, by choice, without a network, and by commit without asking", async () => {
  const directory = await resolve();
  const requests = hub.requests.length;
  expect(await resolve({ offline: true })).toBe(directory);
  expect(await resolve({ revision: hub.commit })).toBe(directory);
  expect(hub.requests.length).toBe(requests);
  expect(await resolve({ hubUrl: "http://127.0.0.1:1" })).toBe(directory);
  rmSync(join(directory, SHARD));
  expect(await codeOf(resolve({ offline: true }))).toBe("hub_offline");
  expect(await codeOf(resolve({ hubUrl: "http://127.0.0.1:1" }))).toBe("hub_network");
});

test("a new commit is fetched, and shares the blobs that did not change", async () => {
  const first = await resolve();
  hub.commit = "b".repeat(40);
  hub.files.set("config.json", { content: Buffer.from(`{"changed":true}`), large: false });
  const requests = hub.requests.length;
  const second = await resolve();
  expect(second).not.toBe(first);
  await expectWhole(second);
  const fetched = hub.requests.slice(requests).filter(({ path }) => path.includes("/resolve/"));
  expect(new Set(fetched.map(({ path }) => path.split("/").at(-1)))).toEqual(new Set(["config.json"]));
});

test("a body cut short is continued where it ended", async () => {
  let cuts = 0;
  hub.fault = (file) => (file === SHARD && cuts++ < 2 ? { cut: 10_000 } : undefined);
  await expectWhole(await resolve());
  const size = hub.files.get(SHARD)!.content.length;
  const starts = hub.ranges(SHARD).flatMap((range) => (range === undefined ? [] : [Number(/\d+/.exec(range)![0])]));
  expect(starts.some((start) => start > 0 && start < size)).toBe(true);
});

test("a download that was broken off is continued by the next run", async () => {
  const file = hub.files.get(SHARD)!;
  const blobs = join(cache, "models--test-owner--test-model", "blobs");
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${hub.hashOf(file)}.incomplete`), file.content.subarray(0, 25_000));
  await expectWhole(await resolve());
  expect(hub.ranges(SHARD)).toContain(`bytes=25000-${file.content.length - 1}`);
});

test("a damaged part is thrown away and fetched again", async () => {
  const file = hub.files.get(SHARD)!;
  const blobs = join(cache, "models--test-owner--test-model", "blobs");
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${hub.hashOf(file)}.incomplete`), Buffer.alloc(25_000));
  await expectWhole(await resolve());
});

test("what stays wrong is reported and leaves nothing that looks whole", async () => {
  const { content } = hub.files.get(SHARD)!;
  hub.fault = (file) => (file === SHARD ? { replace: Buffer.alloc(content.length) } : undefined);
  expect(await codeOf(resolve())).toBe("hub_corrupt");
  hub.fault = (file) => (file === SHARD ? { cut: 0 } : undefined);
  expect(await codeOf(resolve())).toBe("hub_network");
  hub.fault = (file) => (file === SHARD ? { status: 503 } : undefined);
  expect(await codeOf(resolve())).toBe("hub_network");
  const blobs = readdirSync(join(cache, "models--test-owner--test-model", "blobs"));
  expect(blobs).not.toContain(hub.hashOf(hub.files.get(SHARD)!));
  expect(await codeOf(resolve({ offline: true }))).toBe("hub_offline");
  hub.fault = () => undefined;
  await expectWhole(await resolve());
});

test("access and absence are told apart, and a token is sent only where it belongs", async () => {
  hub.token = "hf_secret";
  expect(await codeOf(resolve())).toBe("hub_access");
  await expectWhole(await resolve({ accessToken: "hf_secret" }));
  const storage = hub.requests.filter(({ path }) => path === `/${SHARD}`);
  expect(storage.length).toBeGreaterThan(0);
  expect(storage.every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(
    await codeOf(
      resolveModel("test-owner/other", { cacheDirectory: cache, hubUrl: hub.url, accessToken: "hf_secret" }),
    ),
  ).toBe("hub_not_found");
  hub.files.delete("config.json");
  hub.commit = "c".repeat(40);
  expect(await codeOf(resolve({ accessToken: "hf_secret" }))).toBe("hub_not_found");
});

test("a download can be called off", async () => {
  const controller = new AbortController();
  const onProgress = (): void => controller.abort(new Error("called off"));
  await expect(resolve({ signal: controller.signal, onProgress })).rejects.toThrow("called off");
});

test("a directory is itself; what is neither directory nor id is refused", async () => {
  expect(await resolveModel(checkpoint)).toBe(checkpoint);
  for (const name of ["../secrets", "/nowhere/at/all", "a", "a/b/c", "a/..", "a b/c"]) {
    expect(await codeOf(resolveModel(name, { cacheDirectory: cache, hubUrl: hub.url })), name).toBe("hub_id");
  }
  expect(await codeOf(resolve({ revision: "../../x" }))).toBe("hub_id");
  expect(hub.requests.length).toBe(0);
});
