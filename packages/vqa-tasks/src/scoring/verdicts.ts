// The verdicts of a run on disk: written before they are used, read back instead of asking again when the run goes on.
import { openJournal } from "@iapo/rollout-trace/files";
import { z } from "zod";
import type { JudgeVerdict } from "./judge.ts";

/** Spread it into the judge's options. */
export interface VerdictFile {
  readonly recorded: readonly JudgeVerdict[];
  readonly record: (verdict: JudgeVerdict) => Promise<void>;
  readonly close: () => Promise<void>;
}

const schema = z.strictObject({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  correct: z.boolean(),
  reply: z.string(),
});

/**
 * Reads the file, if there is one; the first verdict makes it. One file serves a whole run, as equal questions have one verdict.
 * @throws TraceError `corrupt`, `invalid`, `read_failed`, `write_failed`
 */
export async function openVerdicts(path: string): Promise<VerdictFile> {
  const journal = await openJournal<JudgeVerdict>(path, schema);
  return {
    recorded: journal.records,
    record: (verdict) => journal.append(verdict),
    close: () => journal.close(),
  };
}
