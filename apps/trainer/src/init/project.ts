// The files of a new project: a configuration that says what its keys are for, rows to put one's own in their place, what git should not keep.
export const dataChoices = ["own", "nano"] as const;
export type DataChoice = (typeof dataChoices)[number];
export const modelChoices = ["nano", "3b"] as const;
export type ModelChoice = (typeof modelChoices)[number];

export interface ProjectChoices {
  readonly data: DataChoice;
  readonly model: ModelChoice;
}

/** The recipe that a project begins from. */
const recipes: Record<ModelChoice, string> = { nano: "nano-iapo-anchored", "3b": "paper-main" };

const data: Record<DataChoice, string> = {
  nano: `data:
  nanoCharts: { seed: 1, names: words }   # small bar charts, drawn as they are needed
  files:                                  # an empty key takes back what the recipe says
  validation:
`,
  own: `data:                                     # rows: https://github.com/iapo-webgpu/iapo/tree/main/packages/vqa-tasks#own-rows
  nanoCharts:                             # an empty key takes back what the recipe says
  files: { format: tasks, path: ./data/train }
  validation: { format: tasks, path: ./data/validation }
`,
};

const steps: Record<ModelChoice, string> = {
  nano: `  steps: 20
  groups: 4                               # tasks a step; at most as many as there are rows
  evaluate: { every: 5, tasks: 8, samples: 1 }
`,
  "3b": `  steps: 100
  groups: 4                               # tasks a step; at most as many as there are rows
  rollout: { samples: 8, maxTokens: 512 } # responses to each task, and the length of a turn
  evaluate: { every: 20, tasks: 8, samples: 1 }
`,
};

/** The configuration as YAML. */
export function configuration(choices: ProjectChoices): string {
  return `# yaml-language-server: $schema=node_modules/@iapo/trainer/schema/iapo.schema.json
# \`iapo recipes show ${recipes[choices.model]}\` prints what this begins from; a key here takes the place of the recipe's.
extends: ${recipes[choices.model]}
${data[choices.data]}environment:
  prompt: compact                         # paper: the paper's long prompt
  # tools: ./my-tools.ts                  # tools of your own: https://github.com/iapo-webgpu/iapo/blob/main/docs/your-own.md
grpo:
${steps[choices.model]}  checkpoint: { every: 5, keep: 2 }
  # functions: { reward: ./my-reward.ts } # a reward of your own in place of the answer's score
`;
}

export const ignored = "node_modules/\nruns/\nmodels/\n.cache/\n";
