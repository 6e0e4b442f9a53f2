// The cells of docs/results.md: what is trained, as plain data. In all of them the outcome is blind to the axis, unless `strict` says otherwise.
export interface Cell {
  /** A recipe's name or file; default the cell's name. */
  readonly recipe?: string;
  /** Steps of training after which it is measured. */
  readonly steps: readonly number[];
  /** The recipe that makes the teacher; default the shipped one. */
  readonly teacher?: string;
  /** Of `strictOrientation`: on how many charts the wrong axis has no boxes, so that the outcome sees misuse; all where it is true. */
  readonly strict?: number | true;
  /** Of a turn; default 48. */
  readonly maxTokens?: number;
  /** Other settings, as `--set` takes them. */
  readonly set?: readonly string[];
}

const agreement: Cell = {
  recipe: "examples/rivals/agreement.yaml",
  steps: [30],
  set: ["grpo.groups=12", "grpo.rollout.samples=8"],
};

/** 45 steps of GRPO take about as long as 30 of others. */
const methods = {
  "nano-grpo": { steps: [30, 45, 60] },
  "nano-iapo-paper": { steps: [30, 60] },
  "nano-iapo-occlusion": { steps: [30, 60] },
  "nano-iapo-anchored": { steps: [30, 60] },
  "nano-opd": { steps: [30, 60] },
  "nano-torl": { steps: [30] },
  "nano-trm": { steps: [30] },
  "nano-opd-token": { steps: [30] },
  "nano-gkd": { steps: [30] },
  agreement,
} satisfies Cells;

const lambdas = Object.fromEntries(
  ["0-1", "0-25", "1", "2"].map((lambda) => [`nano-anchored-lambda-${lambda}`, { steps: [30] }]),
);

const informativeness = Object.fromEntries(
  ([0.25, 0.5, true] as const).flatMap((strict) =>
    (["nano-grpo", "nano-iapo-anchored", "nano-opd"] as const).map((recipe) => [
      `${recipe}-strict-${strict === true ? 1 : strict}`,
      { recipe, strict, steps: [30] },
    ]),
  ),
);

const teachers = {
  "nano-anchored-teacher-untrained": { steps: [30] },
  "nano-anchored-teacher-larger": { steps: [30] },
  ...anchoredBeside("supervised"),
  ...anchoredBeside("grpo"),
  ...anchoredBeside("masks"),
  ...anchoredBeside("variables"),
  "nano-opd-teacher-masks": { recipe: "nano-opd", teacher: "nano-make-teacher-masks", steps: [30] },
  "agreement-teacher-masks": { ...agreement, teacher: "nano-make-teacher-masks" },
  "nano-opd-teacher-variables": { recipe: "nano-opd", teacher: "nano-make-teacher-variables", steps: [30] },
} satisfies Cells;

function anchoredBeside(teacher: string): Cells {
  return { [`nano-anchored-teacher-${teacher}`]: { teacher: `nano-make-teacher-${teacher}`, steps: [30] } };
}

/** Past the step at which misuse is gone, where differences of style are all that is left of a group's penalties. */
const tolerances = Object.fromEntries(
  Object.entries({
    "anchored-masks-long": ["nano-anchored-teacher-masks"],
    "anchored-masks-gate": ["nano-anchored-teacher-masks", "iapo.tolerance.kind=gate", "iapo.tolerance.above=0.04"],
    "anchored-masks-gap": ["nano-anchored-teacher-masks", "iapo.tolerance.kind=gap", "iapo.tolerance.atLeast=0.04"],
    "opd-masks-long": ["nano-opd"],
    "opd-masks-gate": ["nano-opd", "distillation.tolerance.kind=gate", "distillation.tolerance.above=7.5"],
  }).map(([name, [recipe, ...set]]) => [name, { recipe, set, teacher: "nano-make-teacher-masks", steps: [30, 75] }]),
);

/** Tools whose names only the prompt defines; checkpoints for the case study. */
const inContext = Object.fromEntries(
  (["nano-grpo", "nano-iapo-anchored"] as const).map((recipe) => [
    recipe.replace(/nano-(iapo-)?/, "context-"),
    {
      recipe,
      steps: [30],
      maxTokens: 80,
      set: [
        "model.directory=nano-context-student",
        ...(recipe === "nano-grpo" ? [] : ["teacher.directory=nano-context-teacher"]),
        ...["data.nanoCharts.tools=in_context", "grpo.checkpoint.every=5"],
      ],
    },
  ]),
);

export type Cells = Readonly<Record<string, Cell>>;

export const cells: Cells = {
  ...methods,
  ...lambdas,
  ...informativeness,
  ...teachers,
  ...tolerances,
  ...inContext,
} as Cells;
