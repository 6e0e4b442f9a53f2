// The jobs of an ablation, and where what they leave lies below its directory.
import { join, resolve } from "node:path";
import { readTimings } from "@iapo/run-report";
import type { ExperimentRecipe, RecipeConfig } from "../../recipes/types.ts";

export interface AblationJob {
  /** Its run's directory, and its file, are called so. */
  readonly id: string;
  readonly recipe: ExperimentRecipe;
  readonly seed: number;
  readonly steps: number;
  /** What `iapo train` reads. */
  readonly config: RecipeConfig;
  /** A job whose model this one takes. */
  readonly needs: string | undefined;
  /** Why it cannot be run; undefined where it can. */
  readonly unavailable: string | undefined;
  /** It makes a model for others and is no result itself. */
  readonly isPreparation: boolean;
}

export interface Measuring {
  readonly directory: string;
  /** Held-out charts that a model is measured on, one sampled response each. */
  readonly tests: number;
  readonly split: "validation" | "test";
}

/** Of the model that a job has made after so many steps. */
export function modelName(id: string, steps: number): string {
  return `${id}-after-${steps}`;
}

/** Of a model after so many minutes of training. */
export function timedName(id: string, minutes: number): string {
  return `${id}-after-${minutes}-minutes`;
}

export function modelPath(directory: string, name: string): string {
  return resolve(directory, "models", name);
}

/** Where the evaluation of a model lies; of other charts, elsewhere. */
export function measureDirectory({ directory, split, tests }: Measuring, name: string): string {
  return join(directory, "measures", `${split}-${tests}`, name);
}

export function runDirectoryOf(directory: string, id: string): string {
  return join(directory, "runs", id);
}

/** Parts of a step that are no training. */
const besides = ["evaluate", "checkpoint", "write"];

/** Seconds of training of each step of a run, evaluation and checkpoints left out. */
export async function trainingSeconds(run: string): Promise<Map<number, number>> {
  const timings = await readTimings(run);
  const training = (parts: Readonly<Record<string, number>>): number =>
    Object.entries(parts).reduce((sum, [part, seconds]) => (besides.includes(part) ? sum : sum + seconds), 0);
  return new Map([...timings].map(([step, parts]) => [step, training(parts)]));
}
