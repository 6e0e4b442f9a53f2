// What decides whether the run in a directory is the run that goes on: `run.json`, and what was made of it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GrpoError } from "../../src/error.ts";
import {
  hashFile,
  hashModule,
  openRunDirectory,
  type RunRecord,
  readRunRecord,
} from "../../src/run-directory/index.ts";
import { temporaryFolder } from "../support/folder.ts";

const made: RunRecord = {
  kernelFamily: "software",
  adapter: "llvmpipe",
  code: { "@iapo/grpo": "1.0.0", "@iapo/tensor-core": "1.0.0" },
  content: { "model/config.json": "a1", "model/model.safetensors": "a2", "data/train": "b1" },
  commits: {},
  settings: { command: "train", grpo: { seed: 1, groups: 2, loss: { kind: "dapo" } }, list: [1, 2] },
};

async function begun(): Promise<string> {
  const folder = join(temporaryFolder(), "run");
  await openRunDirectory(folder, made, false);
  return folder;
}

test("a run is begun once, and what it was made with is read back", async () => {
  const folder = await begun();
  expect(await readRunRecord(folder)).toEqual(made);
  expect(readdirSync(folder).sort()).toEqual(["checkpoints", "run.json", "steps"]);
  await expect(openRunDirectory(folder, made, false)).rejects.toMatchObject({ code: "exists" });
  expect(await openRunDirectory(folder, made, true)).toMatchObject({ otherAdapter: undefined });
});

test.each<[what: string, change: Partial<RunRecord>, says: RegExp]>([
  [
    "a setting",
    { settings: { ...made.settings, grpo: { seed: 1, groups: 3, loss: { kind: "dapo" } } } },
    /: grpo\.groups \(2 in the run, 3 now\);/,
  ],
  [
    "settings in depth",
    { settings: { command: "train", grpo: { seed: 1, groups: 2, loss: {} }, list: [2] } },
    /grpo\.loss\.kind \("dapo" in the run, nothing now\), list \(\[1,2\] in the run, \[2\] now\)/,
  ],
  [
    "weights",
    { content: { ...made.content, "model/model.safetensors": "a3" } },
    /another content of model\/model\.safetensors;/,
  ],
  [
    "rows",
    { content: { ...made.content, "data/train": "b2", "data/validation": "c" } },
    /of data\/train, data\/validation \(new\);/,
  ],
  [
    "a file that is gone",
    { content: { "data/train": "b1", "model/config.json": "a1" } },
    /model\/model\.safetensors \(gone\)/,
  ],
  [
    "code",
    { code: { ...made.code, "@iapo/tensor-core": "1.1.0" } },
    /@iapo\/tensor-core \("1\.0\.0" in the run, "1\.1\.0" now\)/,
  ],
  ["kernels", { kernelFamily: "hardware" }, /the software kernels \(llvmpipe\), this adapter takes the hardware ones/],
])("a run is not resumed with another of %s, which is named", async (_what, change, says) => {
  const folder = await begun();
  const before = readFileSync(join(folder, "run.json"), "utf8");
  const refused = openRunDirectory(folder, { ...made, ...change }, true);
  await expect(refused).rejects.toMatchObject({ code: "differs", message: expect.stringMatching(says) });
  expect(readFileSync(join(folder, "run.json"), "utf8")).toBe(before);
});

test("another adapter with the same kernels is told, and another commit of the same files is not", async () => {
  const folder = await begun();
  const now = { ...made, adapter: "NVIDIA H200", commits: { model: "0123" } };
  expect(await openRunDirectory(folder, now, true)).toMatchObject({ otherAdapter: "llvmpipe" });
});

test.each(["", "{", "[]", '{"version":1}', JSON.stringify({ version: 2, ...made, more: 1 })])(
  "a run.json that holds %j is refused, and stays",
  async (text) => {
    const folder = await begun();
    writeFileSync(join(folder, "run.json"), text);
    await expect(openRunDirectory(folder, made, true)).rejects.toMatchObject({ code: "invalid" });
    await expect(readRunRecord(folder)).rejects.toThrow(/run\.json is not the file of a run/);
    expect(readFileSync(join(folder, "run.json"), "utf8")).toBe(text);
  },
);

test("a flipped bit of run.json is refused, but where it changes what a resume may change", async () => {
  const folder = await begun();
  const file = join(folder, "run.json");
  const bytes = readFileSync(file);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (at % 8)), at);
    writeFileSync(file, damaged);
    const opened = await openRunDirectory(folder, made, true).catch((error: unknown) => error);
    if (opened instanceof GrpoError) expect(["differs", "invalid"]).toContain(opened.code);
    else expect({ ...(await readRunRecord(folder)), adapter: made.adapter }, `byte ${at}`).toEqual(made);
  }
});

test("of a run.json of another version, no more than the version is said", async () => {
  const folder = await begun();
  writeFileSync(join(folder, "run.json"), '{"version":1}');
  await expect(readRunRecord(folder)).rejects.toThrow(
    /: ✖ it has version 1, and this release reads version 2: report, replay and export the run with the release that made it[^✖]*$/,
  );
});

test.each(["steps", "checkpoints"])(
  "%s without a run.json belong to nobody: neither begun nor resumed",
  async (name) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "step-000000.jsonl"), "");
    for (const resume of [false, true])
      await expect(openRunDirectory(folder, made, resume)).rejects.toMatchObject({ code: "exists" });
    expect(existsSync(join(folder, "run.json"))).toBe(false);
  },
);

test("the hash of a large file is read from the cache until the file changes, by whatever way", async () => {
  const folder = temporaryFolder();
  const [file, cache] = [join(folder, "weights"), join(folder, "cache")];
  const options = { cache, keptFrom: 4 };
  writeFileSync(file, "abcd");
  const first = await hashFile(file, options);
  expect(existsSync(cache)).toBe(false); // it was written a moment ago and may be written again within the same tick
  const past = new Date(Date.now() - 60_000);
  utimesSync(file, past, past); // its change time is now
  expect(await hashFile(file, options)).toBe(first);
  writeFileSync(file, "abce");
  utimesSync(file, past, past);
  expect(await hashFile(file, options)).not.toBe(first);
});

test("a kept hash is used, and one of another size or time is not", { timeout: 20_000 }, async () => {
  const folder = temporaryFolder();
  const [file, cache] = [join(folder, "weights"), join(folder, "cache")];
  const options = { cache, keptFrom: 4 };
  writeFileSync(file, "abcd");
  await new Promise((resolve) => setTimeout(resolve, 3200));
  const first = await hashFile(file, options);
  const [kept = ""] = readdirSync(cache);
  const record = JSON.parse(readFileSync(join(cache, kept), "utf8"));
  const forged = "0".repeat(64);
  writeFileSync(join(cache, kept), JSON.stringify({ ...record, sha256: forged }));
  expect(await hashFile(file, options)).toBe(forged); // so it is not read again
  writeFileSync(join(cache, kept), "{");
  expect(await hashFile(file, options)).toBe(first);
  writeFileSync(file, "abcdx");
  writeFileSync(join(cache, kept), JSON.stringify({ ...record, sha256: forged }));
  expect(await hashFile(file, options)).not.toBe(forged);
});

test("the hash of a module covers what it imports by relative path, at any depth, circles too", async () => {
  const folder = temporaryFolder();
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write("reward.ts", 'import { a } from "./a.ts";\nexport default a;\n');
  write(
    "a.ts",
    'export const a = 1; export { b } from "./b.mjs"; import data from "./data.json" with { type: "json" };',
  );
  write("b.mjs", 'import "./a.ts"; export const b = await import("./c.mjs");');
  write("c.mjs", "export default 1;");
  write("data.json", "1");
  const before = await hashModule(join(folder, "reward.ts"));
  expect(await hashModule(join(folder, "reward.ts"))).toBe(before);
  for (const name of ["reward.ts", "a.ts", "b.mjs", "c.mjs", "data.json"]) {
    const text = readFileSync(join(folder, name), "utf8");
    write(name, `${text} `);
    expect(await hashModule(join(folder, "reward.ts")), name).not.toBe(before);
    write(name, text);
  }
  write("unrelated.ts", "");
  expect(await hashModule(join(folder, "reward.ts"))).toBe(before);
});

test.skipIf(process.platform === "win32")("a pipe in the place of the record is not waited for", async () => {
  const folder = temporaryFolder();
  execFileSync("mkfifo", [join(folder, "run.json")]);
  await expect(readRunRecord(folder)).rejects.toThrow("it is not a regular file");
  await expect(hashFile(join(folder, "run.json"))).rejects.toThrow("not a regular file");
});
