// Made-up traces: what baselines and penalties read of one, without a model.
import type { ImageRef, ToolOutcome, Trace, Turn } from "@iapo/rollout-trace";

import type { VisualContent } from "@iapo/vqa-tasks";

export const picture: ImageRef = { id: "0".repeat(64), width: 112, height: 112, channels: 3 };
const edited: ImageRef = { ...picture, id: "1".repeat(64) };

const content: VisualContent<ImageRef> = {
  image: picture,
  question: "Value of pears to the nearest ten?",
  answers: ["40"],
  columns: [
    { name: "pears", x1: 0, y1: 0, x2: 9, y2: 9 },
    { name: "figs", x1: 10, y1: 0, x2: 19, y2: 9 },
  ],
  rows: [],
  orientation: "columns",
};

export interface MadeUp {
  readonly group?: number;
  readonly sample?: number;
  readonly status?: ToolOutcome["status"];
  readonly turns?: number;
  readonly text?: string;
  readonly question?: string;
  readonly rewards?: Trace["rewards"];
}

/** An episode with a call that went well unless told otherwise. */
export function madeUpTrace(options: MadeUp = {}): Trace<ImageRef, VisualContent<ImageRef>> {
  const { group = 0, sample = 0, status = "ok", text = "program", question = content.question } = options;
  const turn = (freshPrompt: boolean, written: string): Turn<ImageRef> => ({
    tokens: Int32Array.of(1, 2),
    blocks: Int16Array.of(0, -1),
    lossMask: Uint8Array.of(0, 1),
    logProbs: Float32Array.of(-0.5),
    temperature: 1,
    bannedIds: [],
    images: [],
    text: written,
    freshPrompt,
  });
  const outcome: ToolOutcome<ImageRef> = {
    status,
    tools: status === "ok" ? ["focus_on_columns_with_mask"] : [],
    keys: status === "ok" ? ["pears"] : [],
    unknownKeys: [],
    changed: status === "ok",
    ...(status === "ok" && { image: edited }),
  };
  const count = options.turns ?? (status === "no_tool" ? 1 : 2);
  return {
    version: 2,
    step: 0,
    group,
    sample,
    policyVersion: 0,
    task: { id: "chart 0", source: "made_up", split: "val", content: { ...content, question } },
    blocks: [{ id: "query", kind: "query", text: `${question}\n` }],
    turns: Array.from({ length: count }, (_, i) => turn(i === 0, i === 0 ? text : "FINAL ANSWER: 40\n")),
    toolOutcomes: [outcome],
    rewards: options.rewards ?? { outcome: 1 },
  };
}
