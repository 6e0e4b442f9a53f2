// The stages that make the nano models, as plain data. Direct training on episodes fails at this size: see the README.
import type { DemonstrationQuality, NanoChartOptions } from "@iapo/vqa-tasks/nano";

/** Shares of the examples of a batch; what is left is whole episodes. */
export interface Mixture {
  readonly captions: number;
  /** Of the captions: those of pictures that a tool has edited; default a half. */
  readonly edited?: number;
  readonly copies: number;
  /** Charts under names that they do not show; default none. */
  readonly renamed?: number;
  /** Names run together, and again, without a picture; default none. */
  readonly chains?: number;
  /** Tools in context by what they do, without a picture: all in the usual order, or lines that are each any of them; default none. */
  readonly glossaries?: number;
  readonly lookups?: number;
}

export interface Stage {
  readonly name: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Of the learning rate; default cosine. */
  readonly schedule?: "constant";
  readonly mixture: Mixture;
  /** Of the episodes. */
  readonly quality: DemonstrationQuality;
  /** Where they are not those of fixed tools. */
  readonly charts?: Pick<NanoChartOptions, "tools" | "style"> | undefined;
}

const clean: DemonstrationQuality = { wrongAxis: 0, noCall: 0, malformed: 0 };

/** Of the students' last stage. */
const spoilt: DemonstrationQuality = { wrongAxis: 0.38, noCall: 0.04, malformed: 0.06 };

/** Read charts; then spell names in calls, without a picture. Both models begin so. */
const schooling: readonly Stage[] = [
  { name: "captions", steps: 1000, batch: 64, learningRate: 3e-3, mixture: { captions: 1, copies: 0 }, quality: clean },
  {
    name: "copies",
    steps: 1600,
    batch: 32,
    learningRate: 2e-3,
    mixture: { captions: 0.45, copies: 0.55 },
    quality: clean,
  },
  {
    name: "reading",
    steps: 1600,
    batch: 32,
    learningRate: 3e-3,
    mixture: { captions: 0.8, edited: 0.8, copies: 0.2 },
    quality: clean,
  },
  {
    name: "episodes",
    steps: 1600,
    batch: 16,
    learningRate: 1.5e-3,
    mixture: { captions: 0.15, edited: 0.8, copies: 0, renamed: 0.15 },
    quality: clean,
  },
];

/**
 * The question says the effect, and programs say the definition before they call: a model of this size that may call any of three names of a chart
 * writes names that are none, and what it has just written it copies.
 */
export const inContext: NonNullable<Stage["charts"]> = {
  tools: "in_context",
  style: { effects: "by_question", program: "defined" },
};

/**
 * Tools by their definitions, without a picture; then in episodes. It begins as the teacher. Names are copied first. Then definitions are listed in one
 * order: what a line looks up is known by its place, so that only the definition before each name of the prompt is to be learned; drawn at once, they
 * are not learned.
 */
const contextStages: readonly Stage[] = [
  {
    name: "context-chains",
    steps: 250,
    batch: 32,
    learningRate: 2e-3,
    mixture: { captions: 0, copies: 0, chains: 1 },
    quality: clean,
    charts: inContext,
  },
  {
    name: "context-glossaries",
    steps: 300,
    batch: 32,
    learningRate: 2e-3,
    mixture: { captions: 0, copies: 0, glossaries: 1 },
    quality: clean,
    charts: inContext,
  },
  {
    name: "context-lookups",
    steps: 200,
    batch: 32,
    learningRate: 2e-3,
    mixture: { captions: 0, copies: 0, glossaries: 0.5, lookups: 0.5 },
    quality: clean,
    charts: inContext,
  },
  {
    name: "context-episodes",
    steps: 1200,
    batch: 16,
    learningRate: 1.5e-3,
    mixture: { captions: 0.1, edited: 0.8, copies: 0, renamed: 0.3, lookups: 0.2 },
    quality: clean,
    charts: inContext,
  },
];

const schooledTeacher: readonly Stage[] = [
  ...schooling,
  {
    name: "teacher",
    steps: 800,
    batch: 16,
    learningRate: 1.2e-3,
    mixture: { captions: 0.1, copies: 0, renamed: 0.05 },
    quality: clean,
  },
];

export type Role = "student" | "teacher" | "teacher-large" | "teacher-qwen3-vl" | "context-teacher" | "context-student";

/** Who begins as the shipped teacher. */
export const beginAsTeacher: readonly Role[] = ["teacher-large", "context-teacher", "context-student"];

const shortened: Readonly<Record<string, number>> = {
  captions: 600,
  copies: 1280,
  reading: 960,
  episodes: 800,
  teacher: 480,
};

export const stagesOf: Readonly<Record<Role, readonly Stage[]>> = {
  teacher: schooledTeacher,
  // It begins as the teacher, so it has been to school.
  "teacher-large": [
    {
      name: "large-reading",
      steps: 200,
      batch: 32,
      learningRate: 1.2e-3,
      mixture: { captions: 0.8, edited: 0.8, copies: 0, renamed: 0.1 },
      quality: clean,
    },
    {
      name: "large-practice",
      steps: 400,
      batch: 16,
      learningRate: 8e-4,
      mixture: { captions: 0.15, edited: 0.8, copies: 0, renamed: 0.05 },
      quality: clean,
    },
  ],
  // The same school for a model of another family, which takes two thirds of the time.
  "teacher-qwen3-vl": schooledTeacher.map((stage) => ({
    ...stage,
    name: `qwen3-vl-${stage.name}`,
    steps: shortened[stage.name] ?? stage.steps,
  })),
  "context-teacher": contextStages,
  "context-student": [
    ...contextStages,
    {
      name: "context-student",
      steps: 400,
      batch: 16,
      learningRate: 5e-4,
      mixture: { captions: 0.1, copies: 0, renamed: 0.05, lookups: 0.1 },
      quality: spoilt,
      charts: inContext,
    },
  ],
  student: [
    ...schooling,
    {
      name: "student",
      steps: 400,
      batch: 16,
      learningRate: 5e-4,
      mixture: { captions: 0.1, copies: 0, renamed: 0.05 },
      quality: spoilt,
    },
  ],
};
