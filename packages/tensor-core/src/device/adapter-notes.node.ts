// What was found out about an adapter, kept for later runs: a file of the user's cache for each adapter, driver and version of this package. Such a
// file may be anything: it is bounded, parsed, and left out with a warning where it is something else.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { isTuning } from "../ops/matmul/tuning.ts";
import type { AdapterFacts, AdapterNotes } from "./facts.ts";

type Identity = Pick<AdapterFacts, "vendor" | "architecture" | "device" | "description">;

const FORMAT = "iapo-adapter-notes 1";
const MOST_BYTES = 1 << 20;
/** No card has less, or more. */
const LEAST_MEMORY = 2 ** 26;
const MOST_MEMORY = 2 ** 46;

/** In `$XDG_CACHE_HOME`, else in `~/.cache`. */
export function notesPath({ vendor, architecture, device, description }: Identity): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const identity = JSON.stringify([vendor, architecture, device, description, version]);
  const name = createHash("sha256").update(identity).digest("hex").slice(0, 24);
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "iapo", "adapters", `${name}.json`);
}

/** Nothing where there is no file. `warn` hears why one is left out. */
export function readNotes(identity: Identity, warn: (message: string) => void): AdapterNotes {
  const path = notesPath(identity);
  let text: string;
  try {
    if (statSync(path).size > MOST_BYTES) throw new RangeError(`it has more than ${MOST_BYTES} bytes`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (!(error instanceof RangeError)) return {}; // there is none, or nobody may read it
    warn(leftOut(path, error.message));
    return {};
  }
  try {
    return parseNotes(text);
  } catch (error) {
    warn(leftOut(path, error instanceof Error ? error.message : String(error)));
    return {};
  }
}

const leftOut = (path: string, reason: string): string =>
  `${path} is left out: ${reason}. Remove it; iapo doctor --tune makes it again.`;

/** @throws Error that says what is wrong */
export function parseNotes(text: string): AdapterNotes {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("format" in value) || value.format !== FORMAT)
    throw new Error(`it is no "${FORMAT}"`);
  const { memory, tuning } = value as { memory?: unknown; tuning?: unknown };
  const isMemory = typeof memory === "number" && memory >= LEAST_MEMORY && memory <= MOST_MEMORY;
  if (memory !== undefined && !isMemory)
    throw new Error(`its memory is no number of bytes of a card: ${String(memory)}`);
  if (tuning !== undefined && !isTuning(tuning))
    throw new Error("its tuning names products or kernels that there are not");
  return { ...(isMemory && { memory }), ...(tuning !== undefined && isTuning(tuning) && { tuning }) };
}

/** Adds to what is known, and returns the file's path. @throws the file system's error */
export function writeNotes(identity: Identity, notes: AdapterNotes): string {
  const path = notesPath(identity);
  const { vendor, architecture, device, description } = identity;
  const known = readNotes(identity, () => {});
  const content = { format: FORMAT, adapter: { vendor, architecture, device, description }, ...known, ...notes };
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(beside, path);
  return path;
}
