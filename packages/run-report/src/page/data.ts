// What the page shows, as plain data. All strings in it may be hostile: the page escapes them.
import type { BarChart } from "../svg/bars.ts";
import type { LineChart } from "../svg/line-chart.ts";

export interface PageData {
  readonly title: string;
  /** What a reader should know first, such as what was left out. */
  readonly notes: readonly string[];
  readonly runs: readonly RunData[];
  /** Final metrics beside each other. */
  readonly summary: Table;
  readonly charts: readonly { readonly title: string; readonly charts: readonly LineChart[] }[];
  /** Folded away. */
  readonly otherCharts: readonly LineChart[];
  readonly groups: readonly GroupData[];
  /** PNG data URIs by id. */
  readonly images: Readonly<Record<string, string>>;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface RunData {
  readonly name: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Seconds by part of the work, and what they are of the whole. */
  readonly timings: Table;
  /** Who did how much, where the run had workers. */
  readonly workers?: Table | undefined;
  readonly alarms: readonly { readonly step: number; readonly name: string; readonly meaning: string }[];
  /** As its user wrote it, or as the run keeps it. */
  readonly config: string;
}

/** An image that may not have been kept: then there is nothing under its id. */
export interface ImageData {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** The samples of one task in one step. */
export interface GroupData {
  /** Name of the run. */
  readonly run: string;
  readonly step: number;
  readonly group: number;
  readonly task: {
    readonly id: string;
    readonly source: string;
    readonly question: string;
    /** Accepted ones, where the task's content says so. */
    readonly answers: readonly string[];
    /** The first one of the prompt, if there is any. */
    readonly image: ImageData | undefined;
  };
  readonly blocks: readonly BlockData[];
  /** How many samples the group had; those beyond `samples` are left out. */
  readonly size: number;
  readonly samples: readonly SampleData[];
}

export interface BlockData {
  readonly kind: string;
  readonly name: string;
  /** What a model's tool call rests on this block, of all blocks: signed, absolute values adding up to 1. By the model's name. */
  readonly shares?: readonly (readonly [name: string, value: number])[] | undefined;
  /** Of an image there is none. */
  readonly text?: string | undefined;
}

export interface SampleData {
  readonly sample: number;
  /** Where it is shown alone. */
  readonly href?: string | undefined;
  /** From rewards to the advantage, a sentence each. */
  readonly arithmetic?: readonly string[] | undefined;
  readonly turns: readonly TurnData[];
  readonly rewards: readonly (readonly [name: string, value: number])[];
  readonly penalty?: number | undefined;
  /** Null where the sample was dropped. */
  readonly shapedReward?: number | null | undefined;
  /** What the penalty rests on: vectors as bars, single numbers by name. */
  readonly evidence: readonly BarChart[];
  readonly numbers: readonly (readonly [name: string, value: number])[];
}

/** A sampled token. */
export interface TokenData {
  readonly text: string;
  readonly logProb: number;
  /** Under the policy in training over that of the rollout, at its last update. */
  readonly ratio?: number | undefined;
  readonly advantage?: number | undefined;
}

export interface TurnData {
  readonly text: string;
  /** Of the text, where they are known one by one. */
  readonly pieces?: readonly TokenData[] | undefined;
  /** Where the whole text is, when this is not all of it. */
  readonly wholeText?: string | undefined;
  readonly tokens: number;
  readonly meanLogProb: number;
  readonly advantage?: number | undefined;
  readonly tool?: ToolData | undefined;
}

export interface ToolData {
  readonly status: string;
  readonly reason?: string | undefined;
  /** Line of the program at which it failed, counted from 1 after the opening fence. */
  readonly failedLine?: number | undefined;
  readonly tools: readonly string[];
  readonly keys: readonly string[];
  readonly unknownKeys: readonly string[];
  readonly changed: boolean;
  readonly image?: ImageData | undefined;
}
