// A job as the learner announces it, and as a worker opens it with its own copies of models and data.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { loadConfig } from "../config/load.ts";
import type { JobConfig } from "../config/schema.ts";
import { shippedModels } from "../config/shipped.ts";
import { JobsError } from "../error.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Job } from "../open-job.ts";
import { namedModules, requireTrust } from "../parts/user-modules.ts";

const jobSchema = z.strictObject({
  kind: z.enum(["train", "sft"]),
  name: z.string(),
  config: z.record(z.string(), z.json()),
});
type Announced = z.infer<typeof jobSchema>;

/** Models that ship with the program go by their names, as they lie elsewhere on another machine. */
export function announcementOf({ kind, name, resolved }: Job): Announced {
  const plain = jobSchema.shape.config.parse(JSON.parse(JSON.stringify(resolved)));
  const names = new Map(Array.from(shippedModels, ([model, directory]) => [directory, model]));
  const config = Object.fromEntries(
    Object.entries(plain).map(([key, value]) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [key, value];
      const model = typeof value.directory === "string" ? names.get(value.directory) : undefined;
      return [key, model === undefined ? value : { ...value, directory: model }];
    }),
  );
  return { kind, name, config };
}

export interface AnnouncedOptions {
  /** In place of the learner's settings, such as `model.directory=/data/model`. */
  readonly set: readonly string[];
  /** Whether the modules may be loaded that the configuration names. */
  readonly trust: boolean;
}

/** @throws JobsError `invalid`, `untrusted`; ConfigError */
export async function openAnnounced(
  announced: unknown,
  { set, trust }: AnnouncedOptions,
): Promise<{ readonly kind: JobSpec["kind"]; readonly config: JobConfig }> {
  const parsed = jobSchema.safeParse(announced);
  if (!parsed.success)
    throw new JobsError("invalid", `the learner announces no job of this version: ${z.prettifyError(parsed.error)}`);
  const { kind, name, config: given } = parsed.data;
  const folder = await mkdtemp(join(tmpdir(), "iapo-worker-"));
  try {
    const file = join(folder, "config.yaml");
    await writeFile(file, stringify(given));
    const { config } = loadConfig(file, set);
    requireTrust({ name: `the learner's run ${name}`, untrusted: trust ? [] : namedModules(config) });
    return { kind, config };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
