/**
 * Spoiled caches of a hub: offline the whole model is found or none; online what comes back is what the hub holds, whatever lay there. Errors are ours.
 */
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { seededRandom } from "@iapo/tensor-core/testing";
import { QwenVLError } from "../src/error.ts";
import { resolveModel } from "../src/hub/index.ts";
import { HubServer } from "../test/hub/server.ts";

type Random = (below: number) => number;

const MODEL = "test-owner/test-model";
const FOLDER = "models--test-owner--test-model";

/** Every file and link below a folder, the deepest first. */
function entries(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [...entries(path), path] : [path];
  });
}

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

/** One to three changes. */
function spoil(random: Random, cache: string): void {
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const path = pick(
      random,
      entries(cache).filter((name) => name !== join(cache, FOLDER)),
    );
    const isFile = lstatSync(path).isFile();
    switch (random(6)) {
      case 0:
        rmSync(path, { recursive: true });
        break;
      case 1:
        if (isFile) truncateSync(path, random(statSync(path).size + 1));
        break;
      case 2:
        if (isFile)
          writeFileSync(
            path,
            pick(random, ["", "{}", "[]", "null", "../../x", "\0", '[{"path":"../x","size":1,"hash":""}]']),
          );
        break;
      case 3:
        rmSync(path, { recursive: true });
        mkdirSync(path);
        break;
      case 4:
        rmSync(path, { recursive: true });
        symlinkSync(pick(random, ["nowhere", "..", path]), path);
        break;
      default: // a stray file beside it
        writeFileSync(join(dirname(path), pick(random, ["stray", "model.safetensors.incomplete", "x.lock"])), "stray");
    }
  }
}

/** Whether every file of the hub is there with its size. */
function isWhole(directory: string, hub: HubServer): boolean {
  return [...hub.files].every(([name, { content }]) => {
    try {
      return statSync(join(directory, name)).size === content.length;
    } catch {
      return false;
    }
  });
}

export interface HubFuzzCounts {
  found: number;
  refused: number;
  repaired: number;
}

/** @throws for a model that is not whole and for an error that is not ours, with the case's number. */
export async function fuzzHubCaches(cases: number, seed: number): Promise<HubFuzzCounts> {
  const root = mkdtempSync(join(tmpdir(), "hub-fuzz-"));
  const counts = { found: 0, refused: 0, repaired: 0 };
  await using hub = await HubServer.start();
  try {
    await fillHub(hub, join(root, "checkpoint"));
    const template = join(root, "template");
    await resolveModel(MODEL, { cacheDirectory: template, hubUrl: hub.url, offline: false });
    for (let i = 0; i < cases; i++) {
      const uniform = seededRandom(`hub ${seed} ${i}`);
      const random: Random = (below) => Math.floor(uniform() * below);
      const cacheDirectory = join(root, "cache");
      rmSync(cacheDirectory, { recursive: true, force: true });
      const links = random(4) === 0 ? { dereference: true } : { verbatimSymlinks: true };
      cpSync(template, cacheDirectory, { recursive: true, ...links });
      const kept = random(4) > 0;
      if (!kept) rmSync(join(cacheDirectory, FOLDER, ".listings"), { recursive: true });
      spoil(random, cacheDirectory);
      const where = { cacheDirectory, hubUrl: hub.url, revision: pick(random, ["main", hub.commit]) };
      try {
        const directory = await resolveModel(MODEL, { ...where, offline: true });
        // Without a listing nobody knows of more than these.
        const known = kept && hasListing(cacheDirectory, hub.commit);
        const needed = ["config.json", "tokenizer.json", "model.safetensors"].every((name) =>
          statSync(join(directory, name)).isFile(),
        );
        if (!needed || (known && !isWhole(directory, hub))) throw new Error("a partial model was taken for whole");
        counts.found++;
      } catch (error) {
        if (!(error instanceof QwenVLError) || error.code !== "hub_offline")
          throw new Error(`case ${i} of seed ${seed}`, { cause: error });
        counts.refused++;
      }
      try {
        const directory = await resolveModel(MODEL, { ...where, offline: false });
        if (!isWhole(directory, hub)) throw new Error("what the hub gave is not whole");
        counts.repaired++;
      } catch (error) {
        if (!(error instanceof QwenVLError)) throw new Error(`online, case ${i} of seed ${seed}`, { cause: error });
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return counts;
}

/** Whether the listing is there and readable. */
function hasListing(cache: string, commit: string): boolean {
  try {
    const listing = JSON.parse(readFileSync(join(cache, FOLDER, ".listings", `${commit}.json`), "utf8"));
    return Array.isArray(listing) && listing.length > 1;
  } catch {
    return false;
  }
}

async function fillHub(hub: HubServer, checkpoint: string): Promise<void> {
  mkdirSync(checkpoint);
  const data = () => [Uint8Array.from({ length: 400 }, (_, i) => i % 251)];
  await writeSafetensorsShards(checkpoint, [{ name: "a", dtype: "F32", shape: [10, 10], data }]);
  for (const name of readdirSync(checkpoint))
    hub.files.set(name, { content: readFileSync(join(checkpoint, name)), large: true });
  for (const name of ["config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"]) {
    hub.files.set(name, { content: Buffer.from(`"${name}"`), large: false });
  }
}

if (import.meta.main) {
  const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
  console.log(await fuzzHubCaches(Number(process.env.IAPO_FUZZ_RUNS ?? 2000), seed));
}
