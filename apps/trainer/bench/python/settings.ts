// What the workers are told.
export interface Settings {
  readonly directory: string;
  readonly groups: number;
  readonly samples: number;
  /** Of a turn. */
  readonly maxTokens: number;
}

/** Of the update, on all sides. */
export const rates = { learningRate: 1e-5, betas: [0.9, 0.999], maxGradNorm: 1 } as const;
