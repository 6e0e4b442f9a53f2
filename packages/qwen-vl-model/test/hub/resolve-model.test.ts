import { execFile, spawnSync } from "node:child_process";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openSafetensors, writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
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

/** The variables of `env` in place of those that the hub's code reads, while `work` runs. */
async function withEnvironment<T>(env: Record<string, string>, work: () => Promise<T>): Promise<T> {
  for (const [name, value] of Object.entries({ ...CLEAN, ...env })) vi.stubEnv(name, value);
  try {
    return await work();
  } finally {
    vi.unstubAllEnvs();
  }
}
const CLEAN = Object.fromEntries(
  [
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HTTPS_PROXY",
    "NODE_USE_ENV_PROXY",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
  ].map((name) => [name, ""]),
);
const byEnvironment = (env: Record<string, string>): Promise<string> =>
  withEnvironment({ HF_ENDPOINT: hub.url, HF_HOME: root, ...env }, () =>
    resolveModel(MODEL, { cacheDirectory: cache }),
  );

test.each([
  [{ HF_HUB_OFFLINE: "1" }, true],
  [{ HF_HUB_OFFLINE: "TRUE" }, true],
  [{ HF_HUB_OFFLINE: "yes" }, true],
  [{ HF_HUB_OFFLINE: "On" }, true],
  [{ TRANSFORMERS_OFFLINE: "1" }, true],
  [{ HF_HUB_OFFLINE: "0" }, false],
  [{ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" }, false],
  [{ HF_HUB_OFFLINE: "no" }, false],
])("offline as huggingface_hub reads it: %j", async (env, offline) => {
  if (offline) expect(await codeOf(byEnvironment(env))).toBe("hub_offline");
  else await expectWhole(await byEnvironment(env));
  expect(hub.requests.length > 0).toBe(!offline);
});

test("an endpoint may end in slashes; what is no address is said", async () => {
  await expectWhole(await byEnvironment({ HF_ENDPOINT: `${hub.url}//` }));
  expect(hub.requests.every(({ path }) => !path.startsWith("//"))).toBe(true);
  await expect(byEnvironment({ HF_ENDPOINT: "hub.example" })).rejects.toThrow("HF_ENDPOINT: hub.example is no address");
});

test("a token of any hub, from the variables and the file that tools write", async () => {
  hub.token = "company-token";
  await expectWhole(await resolve({ accessToken: "company-token\n" }));
  const file = join(root, "elsewhere");
  writeFileSync(file, "company-token\n");
  const home = join(root, "home");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "token"), "company-token");
  for (const env of [
    { HF_TOKEN: "company-token" },
    { HUGGING_FACE_HUB_TOKEN: " company-token " },
    { HF_TOKEN_PATH: file },
    { HF_HOME: home },
  ]) {
    cache = mkdtempSync(join(root, "cache-"));
    await expectWhole(await byEnvironment(env));
  }
  cache = mkdtempSync(join(root, "cache-"));
  expect(await codeOf(byEnvironment({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }))).toBe("hub_access");
  await expect(resolve({ accessToken: "two words" })).rejects.toThrow("characters that no token has");
});

test.each([
  [{ HF_HUB_CACHE: "~/a" }, "a"],
  [{ HF_HUB_CACHE: "$HOME/a" }, "a"],
  [{ HF_HUB_CACHE: "", HUGGINGFACE_HUB_CACHE: "$HOME/b" }, "b"],
  [{ HF_HUB_CACHE: "", HF_HOME: "~/c" }, "c/hub"],
  [{ HF_HUB_CACHE: "", HF_HOME: "", XDG_CACHE_HOME: "~/d" }, "d/huggingface/hub"],
  [{ HF_HUB_CACHE: "", HF_HOME: "", XDG_CACHE_HOME: "" }, ".cache/huggingface/hub"],
])("the cache is where huggingface_hub has it: %j", async (env, place) => {
  const empty = { HUGGINGFACE_HUB_CACHE: "", HOME: root, USERPROFILE: root, HF_ENDPOINT: hub.url };
  const directory = await withEnvironment({ ...empty, ...env }, () => resolveModel(MODEL));
  expect(directory).toBe(join(root, place, "models--test-owner--test-model", "snapshots", hub.commit));
  rmSync(join(root, place), { recursive: true });
});

test("an address with a password, and what is no hub, is told without the password", async () => {
  const withPassword = resolve({ hubUrl: hub.url.replace("//", "//me:secret@") });
  await expect(withPassword).rejects.toThrow("HF_ENDPOINT: a hub's address holds no user");
  hub.page = "<html>log in</html>";
  await expect(resolve()).rejects.toThrow("what answers is no hub");
});

test("a list without an end is not read on and on", async () => {
  hub.listsOn = true;
  await expect(resolve()).rejects.toThrow("lists more than 100000 files");
});

test("a whole cache that may only be read serves", async () => {
  const directory = await resolve();
  const repository = join(cache, "models--test-owner--test-model");
  rmSync(join(repository, ".listings"), { recursive: true });
  writeFileSync(join(repository, ".listings"), "in the way"); // the superuser may write into every folder
  const before = statSync(join(repository, "refs", "main")).ino;
  expect(await resolve()).toBe(directory);
  expect(statSync(join(repository, "refs", "main")).ino).toBe(before);
});

test("causes are told, and what a proxy needs", async () => {
  const nowhere = { HF_ENDPOINT: "http://127.0.0.1:1" };
  await expect(byEnvironment(nowhere)).rejects.toThrow(/fetch failed: .*(ECONNREFUSED|bad port)/);
  const proxied = byEnvironment({ ...nowhere, HTTPS_PROXY: "http://127.0.0.1:9" });
  await expect(proxied).rejects.toThrow("HTTPS_PROXY is set, which Node uses with NODE_USE_ENV_PROXY=1 only");
  const used = await byEnvironment({ ...nowhere, HTTPS_PROXY: "http://127.0.0.1:9", NODE_USE_ENV_PROXY: "1" }).catch(
    String,
  );
  expect(used).not.toContain("NODE_USE_ENV_PROXY");
});

test("a hub that asks for patience gets it, up to a limit", async () => {
  let left = 2;
  hub.fault = (file) => (file === "config.json" && left-- > 0 ? { status: 429, retryAfter: "1" } : undefined);
  const start = performance.now();
  await expectWhole(await resolve());
  expect(performance.now() - start).toBeGreaterThan(1900);
  cache = mkdtempSync(join(root, "cache-"));
  hub.fault = () => ({ status: 429, retryAfter: new Date(Date.now() + 3_600_000).toUTCString() });
  await expect(resolve()).rejects.toThrow(/too many requests; come back in 3\d{3} s; with an access token/);
});

test("a partial snapshot is repaired, under the name of a branch and of a commit; offline it is none", async () => {
  const whole = await resolve();
  for (const name of ["chat_template.jinja", SHARD, "config.json"]) {
    for (const revision of ["main", hub.commit]) {
      rmSync(join(whole, name));
      expect(await codeOf(resolve({ revision, offline: true })), name).toBe("hub_offline");
      expect(await resolve({ revision })).toBe(whole);
      await expectWhole(whole);
    }
  }
});

test("a snapshot that another tool filled is used where it has a tokenizer, and by commit completed where the hub answers", async () => {
  hub.files.set("tokenizer.json", { content: Buffer.from("{}"), large: false });
  const whole = await resolve();
  rmSync(join(cache, "models--test-owner--test-model", ".listings"), { recursive: true });
  expect(await resolve({ revision: hub.commit, offline: true })).toBe(whole);
  rmSync(join(whole, "chat_template.jinja"));
  expect(await resolve({ revision: hub.commit })).toBe(whole);
  expect(readdirSync(whole)).toContain("chat_template.jinja");
  rmSync(join(cache, "models--test-owner--test-model", ".listings"), { recursive: true });
  rmSync(join(whole, "tokenizer.json"));
  expect(await codeOf(resolve({ revision: hub.commit, offline: true }))).toBe("hub_offline");
});

test("a cache without links is used as it is; what differs in it is fetched", async () => {
  const folder = join(cache, "models--test-owner--test-model");
  const snapshot = join(folder, "snapshots", hub.commit);
  mkdirSync(join(folder, "refs"), { recursive: true });
  writeFileSync(join(folder, "refs", "main"), hub.commit);
  cpSync(checkpoint, snapshot, { recursive: true });
  expect(await resolve()).toBe(snapshot);
  expect(hub.requests.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
  writeFileSync(join(snapshot, "config.json"), "[]");
  await expectWhole(await resolve());
  expect(readFileSync(join(snapshot, "config.json"), "utf8")).toBe("{}");
});

test("calls of one process wait for each other, and take over what a dead one left", async () => {
  const file = hub.files.get(SHARD)!;
  const blobs = join(cache, "models--test-owner--test-model", "blobs");
  mkdirSync(blobs, { recursive: true });
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  writeFileSync(join(blobs, `${hub.hashOf(file)}.lock`), `${pid} ${hostname()}`);
  const directories = await Promise.all([resolve(), resolve(), resolve()]);
  for (const directory of directories) await expectWhole(directory);
  expect(hub.ranges(SHARD).length).toBe(2); // the redirect, and its storage
  expect(readdirSync(blobs).filter((name) => name.includes("."))).toEqual([]);
});

const fullRuns = process.env.IAPO_FULL === "1" ? 30 : 2;
test(
  "two processes with one empty cache both get the model, run after run",
  async () => {
    hub.files.set(SHARD, { content: hub.files.get(SHARD)!.content, large: true });
    const program = fileURLToPath(new URL("download-process.ts", import.meta.url));
    const argv = ["--conditions=@iapo/source", program, hub.url];
    for (let run = 0; run < fullRuns; run++) {
      const own = mkdtempSync(join(root, "cache-"));
      const outputs = [0, 1].map(() => promisify(execFile)(process.execPath, [...argv, own]));
      for (const { stdout } of await Promise.all(outputs)) await expectWhole(stdout.trim());
    }
  },
  fullRuns * 20_000,
);
