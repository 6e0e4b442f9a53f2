// Runs made by hand, as small or as evil as a test needs them; the files are written by the run's own writers.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageRef, StepLog, Trace } from "@iapo/rollout-trace";
import { writeStep } from "@iapo/rollout-trace/files";
import { afterAll } from "vitest";

export interface MadeStep {
  readonly groups?: number;
  readonly samples?: number;
  readonly metrics?: StepLog["metrics"];
  /** What the first turn of a sample says, from its group and number. */
  readonly text?: (group: number, sample: number) => string;
  readonly question?: string;
  readonly taskIds?: (group: number) => string;
  readonly outcome?: (group: number, sample: number) => number;
}

/** For all tests of a file. */
export async function sharedFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "iapo-view-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function makeRecord(directory: string, settings: object = {}, planned?: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  const record = {
    version: 2,
    kernelFamily: "software",
    adapter: "none",
    code: {},
    content: {},
    commits: {},
    settings,
  };
  await writeFile(join(directory, "run.json"), JSON.stringify(record));
  if (planned !== undefined)
    await writeFile(join(directory, "starts.jsonl"), `${JSON.stringify({ config: { grpo: { steps: planned } } })}\n`);
}

const image: ImageRef = { id: "a".repeat(64), width: 8, height: 6, channels: 3 };

export function makeTrace(step: number, group: number, sample: number, given: MadeStep = {}): Trace<ImageRef> {
  const {
    text = () => "display(focus_on_rows(image_1))",
    question = "How many?",
    taskIds = (one) => `task-${one}`,
  } = given;
  const outcome = given.outcome?.(group, sample) ?? sample % 2;
  return {
    ...{ version: 2, step, group, sample, policyVersion: step },
    task: { id: taskIds(group), source: "made", split: "train", content: { image, question, answers: ["3"] } },
    blocks: [
      { id: "image", kind: "image", image },
      { id: "tool:one", kind: "tool", tool: "focus_on_rows", text: "focus_on_rows (image) shows rows\n" },
      { id: "query", kind: "query", text: `${question}\n` },
    ],
    turns: [
      {
        tokens: Int32Array.of(1, 2, 3, 4, 5),
        blocks: Int16Array.of(0, 1, 2, -1, -1),
        lossMask: Uint8Array.of(0, 0, 0, 1, 1),
        logProbs: Float32Array.of(-0.5, -2),
        temperature: 1,
        bannedIds: [],
        images: [image],
        text: text(group, sample),
        freshPrompt: true,
      },
    ],
    toolOutcomes: [
      {
        status: "tool_error",
        reason: { code: "undefined_name", message: "rows is not defined", line: 1, column: 9 },
        tools: ["focus_on_rows"],
        keys: [],
        unknownKeys: ["rows"],
        changed: false,
      },
    ],
    rewards: { outcome, tool_misuse: sample === 1 ? 1 : 0 },
  };
}

export async function makeStep(directory: string, step: number, given: MadeStep = {}): Promise<string> {
  const { groups = 2, samples = 3, metrics = { "reward/outcome": step / 10 } } = given;
  const traces = Array.from({ length: groups * samples }, (_, i) =>
    makeTrace(step, Math.floor(i / samples), i % samples, given),
  );
  await mkdir(directory, { recursive: true });
  return writeStep(join(directory, "steps"), {
    step,
    traces,
    log: {
      samples: traces.map(({ group, sample, rewards }) => ({
        ...{ group, sample, penalty: 0.25 },
        shapedReward: (rewards.outcome ?? 0) - 0.25,
        advantages: [sample - 1],
      })),
      updates: [
        {
          samples: traces.map(({ group, sample }) => ({ group, sample, logProbs: Float32Array.of(-0.25, -2.5) })),
          loss: -0.125,
        },
      ],
      metrics,
    },
  });
}
