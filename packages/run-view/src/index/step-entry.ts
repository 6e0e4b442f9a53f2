// What the index keeps of a step: enough for curves, for the table of episodes and for searching it; all else is read from the step's file.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type ImageRef, imageRef, imageRefSchema, type SampleLog, type Trace } from "@iapo/rollout-trace";
import { readEntries } from "@iapo/rollout-trace/files";
import { meanAdvantage } from "@iapo/run-report";
import { z } from "zod";

const sampleSchema = z.strictObject({
  sample: z.int().min(0),
  /** The outcome reward; null where there is none. */
  outcome: z.number().nullable(),
  penalty: z.number().nullable(),
  shaped: z.number().nullable(),
  /** Of the first turn; the mean where each token has one. */
  advantage: z.number().nullable(),
  /** Of the first tool program. */
  status: z.string(),
  tools: z.array(z.string()),
  /** Whether a tool of the wrong axis was called. */
  misuse: z.boolean(),
  /** Sampled, over all turns. */
  tokens: z.int().min(0),
  /** In lower case, what is searched: the beginning of each turn, and why its program failed. */
  text: z.string(),
});

const groupSchema = z.strictObject({
  group: z.int().min(0),
  task: z.string(),
  source: z.string(),
  question: z.string(),
  samples: z.array(sampleSchema),
});

/** Names the state of a file: another state is read again. */
const fileSchema = z.strictObject({ bytes: z.number(), modified: z.number() });

export const stepEntrySchema = z.strictObject({
  step: z.int().min(0),
  file: fileSchema,
  metrics: z.record(z.string(), z.number().nullable()),
  groups: z.array(groupSchema),
  /** Those that its traces name. */
  images: z.array(imageRefSchema),
  /** Why not all of the file could be read; what came before is here. */
  damage: z.string().optional(),
});

export type StepEntry = z.infer<typeof stepEntrySchema>;
export type GroupEntry = z.infer<typeof groupSchema>;
export type SampleEntry = z.infer<typeof sampleSchema>;
export type FileState = z.infer<typeof fileSchema>;

/** Characters: a table's cells are short, and 50,000 episodes have to fit in memory. */
const [longestQuestion, longestText, longestName, mostNames] = [300, 600, 120, 20] as const;

export async function fileState(path: string): Promise<FileState> {
  const { size, mtimeMs } = await stat(path);
  return { bytes: size, modified: mtimeMs };
}

export function isSameFile(one: FileState, other: FileState): boolean {
  return one.bytes === other.bytes && one.modified === other.modified;
}

/** Reads a step's file as far as it is whole. Never throws for what is in it. */
export async function readStepEntry(path: string, step: number): Promise<StepEntry> {
  const file = await fileState(path);
  let metrics: StepEntry["metrics"] = {};
  const groups: GroupEntry[] = [];
  const images = new Map<string, ImageRef>();
  const logs = new Map<string, SampleLog>();
  let damage: string | undefined;
  try {
    for await (const entry of readEntries(createReadStream(path), path)) {
      if (entry.kind === "trace") addTrace(entry.trace, groups, images);
      else if (entry.kind === "shaping") for (const log of entry.samples) logs.set(`${log.group} ${log.sample}`, log);
      else if (entry.kind === "metrics") metrics = entry.metrics;
    }
  } catch (error) {
    damage = (error as Error).message;
  }
  for (const { group, samples } of groups) for (const one of samples) addLog(one, logs.get(`${group} ${one.sample}`));
  return { step, file, metrics, groups, images: [...images.values()], ...(damage !== undefined && { damage }) };
}

function addTrace(trace: Trace<ImageRef>, groups: GroupEntry[], images: Map<string, ImageRef>): void {
  const { group, task, blocks, turns, toolOutcomes, rewards, sample } = trace;
  let own = groups.at(-1);
  if (own?.group !== group) {
    own = {
      group,
      task: cut(task.id, longestName),
      source: cut(task.source, longestName),
      question: cut(questionOf(trace), longestQuestion),
      samples: [],
    };
    groups.push(own);
  }
  for (const block of blocks) if (block.kind === "image") images.set(block.image.id, imageRef(block.image));
  for (const { image } of toolOutcomes) if (image) images.set(image.id, imageRef(image));
  const [first] = toolOutcomes;
  own.samples.push({
    sample,
    outcome: rewards.outcome ?? null,
    penalty: null,
    shaped: null,
    advantage: null,
    status: first?.status ?? "",
    tools: [...new Set(toolOutcomes.flatMap(({ tools }) => tools))]
      .slice(0, mostNames)
      .map((name) => cut(name, longestName)),
    misuse: (rewards.tool_misuse ?? 0) > 0,
    tokens: turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0),
    text: [
      ...turns.map(({ text }) => cut(text, longestText)),
      ...toolOutcomes.flatMap(({ reason }) => (reason ? cut(`${reason.code} ${reason.message}`, longestText) : [])),
    ]
      .join("\n")
      .toLowerCase(),
  });
}

function addLog(entry: SampleEntry, log: SampleLog | undefined): void {
  if (!log) return;
  entry.penalty = log.penalty;
  entry.shaped = log.shapedReward;
  entry.advantage = meanAdvantage(log.advantages[0]) ?? null;
}

const known = z.object({ question: z.string() });

function questionOf({ task, blocks }: Trace<ImageRef>): string {
  const content = known.safeParse(task.content);
  if (content.success) return content.data.question;
  const query = blocks.find((block) => block.kind === "query");
  return query?.kind === "query" ? query.text : task.id;
}

/** A slice of a string keeps the whole one in memory; a copy does not. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : Buffer.from(text.slice(0, length)).toString();
}
