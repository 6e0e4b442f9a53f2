// A run of one step by `iapo train`, of a nano model with random weights: for commands that look at a run.
import { expect } from "vitest";
import { iapo } from "./iapo.ts";

const settings = [
  ...["model.initialize=1", "model.directory=nano-base", "grpo.evaluate=", "grpo.steps=1", "grpo.groups=1"],
  ...["grpo.rollout.samples=2", "grpo.rollout.maxTokens=4"],
];

export async function smallRun(directory: string, more: readonly string[] = []): Promise<void> {
  const { code, err } = await iapo([
    "train",
    "nano-grpo",
    ...[...settings, ...more].flatMap((one) => ["--set", one]),
    "--out",
    directory,
  ]);
  expect(code, err).toBe(0);
}
