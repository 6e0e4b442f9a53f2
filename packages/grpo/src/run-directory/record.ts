// `run.json`: what a run was made with. One schema, one reader, one writer.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { problemOf } from "@iapo/rollout-trace";
import { checkRegularFile, writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { GrpoError } from "../error.ts";

const MOST_BYTES = 2 ** 24;

const byName = z.record(z.string(), z.string());

const versionSchema = z.looseObject({
  version: z.literal(2, {
    error: ({ input }) =>
      `it has version ${JSON.stringify(input)}, and this release reads version 2: report, replay and export the run with the release that made it, or make it again by its config.yaml`,
  }),
});

const recordSchema = z.strictObject({
  version: z.literal(2),
  /** Which kernels made the run: others may give other bits. */
  kernelFamily: z.string(),
  adapter: z.string(),
  /** Versions of the packages that computed it, by name. */
  code: byName,
  /** SHA-256 of what the settings name by path: files of models, rows of data, modules of functions. */
  content: byName,
  /** Commits of what came from a hub, for a resume to take the same. */
  commits: byName,
  /** Plain data that decides what the run computes. */
  settings: z.record(z.string(), z.json()),
  /** Of a run with workers: what each has done, and whether those on other adapters were admitted. Nothing else rests on it. */
  fleet: z
    .strictObject({
      mixed: z.boolean(),
      workers: z.record(
        z.string(),
        z.strictObject({ host: z.string(), units: z.int().min(0), milliseconds: z.number().min(0) }),
      ),
    })
    .optional(),
});

/** Of another version, no more than that is said. */
const schema = versionSchema.pipe(recordSchema);

/** What `run.json` holds. */
export type RunRecord = Readonly<Omit<z.infer<typeof recordSchema>, "version">>;

export function recordPath(directory: string): string {
  return join(directory, "run.json");
}

/** @throws GrpoError `missing` where there is none, `invalid` */
export async function readRunRecord(directory: string): Promise<RunRecord> {
  const record = await findRunRecord(directory);
  if (record) return record;
  throw new GrpoError(
    "missing",
    `${directory} holds no run: there is no ${recordPath(directory)}; give the directory that a training wrote`,
  );
}

/** Undefined where there is none. @throws GrpoError `invalid` */
export async function findRunRecord(directory: string): Promise<RunRecord | undefined> {
  const path = recordPath(directory);
  try {
    await checkRegularFile(path, MOST_BYTES);
    const { version: _, ...record } = schema.parse(JSON.parse(await readFile(path, "utf8")));
    return record;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const problem = problemOf(cause);
    throw new GrpoError("invalid", `${path} is not the file of a run: ${problem}`, { cause });
  }
}

export async function writeRunRecord(directory: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(recordPath(directory), `${JSON.stringify({ version: 2, ...record }, null, 2)}\n`);
}
