// The manifest of a checkpoint: every file with its size and SHA-256, so that a checkpoint is whole or is refused.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkRegularFile, writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { GrpoError } from "../error.ts";

const FILE = "manifest.json";
const MOST_BYTES = 2 ** 20;

const schema = z.strictObject({
  version: z.literal(1),
  files: z.record(
    z.string().regex(/^[a-z-]+\.(json|safetensors)$/),
    z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

/** Writes the manifest of these files of a directory. */
export async function writeManifest(directory: string, names: readonly string[]): Promise<void> {
  const files: z.infer<typeof schema>["files"] = {};
  for (const name of names) files[name] = await describe(join(directory, name));
  await writeFileAtomic(join(directory, FILE), `${JSON.stringify({ version: 1, files }, null, 2)}\n`);
}

/** Reads every file and compares it with the manifest. @throws GrpoError `checkpoint` that names the file that is missing or damaged */
export async function verifyManifest(directory: string, names: readonly string[]): Promise<void> {
  const file = join(directory, FILE);
  const refuse = (problem: string, cause?: unknown): GrpoError =>
    new GrpoError("checkpoint", problem, cause === undefined ? undefined : { cause });
  const manifest = await readManifest(file).catch((cause: unknown) => {
    throw refuse(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  for (const name of names) {
    const listed = manifest.files[name];
    if (!listed) throw refuse(`${file} does not list ${name}`);
    const found = await describe(join(directory, name)).catch((cause: unknown) => {
      throw refuse(`${join(directory, name)} cannot be read`, cause);
    });
    if (found.bytes !== listed.bytes || found.sha256 !== listed.sha256) {
      throw refuse(`${join(directory, name)} is damaged: its bytes are not those that were written`);
    }
  }
}

async function readManifest(file: string): Promise<z.infer<typeof schema>> {
  await checkRegularFile(file, MOST_BYTES);
  return schema.parse(JSON.parse(await readFile(file, "utf8")));
}

async function describe(file: string): Promise<{ bytes: number; sha256: string }> {
  await checkRegularFile(file);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of createReadStream(file, { highWaterMark: 2 ** 20 }) as AsyncIterable<Uint8Array>) {
    hash.update(piece);
    bytes += piece.byteLength;
  }
  return { bytes, sha256: hash.digest("hex") };
}
