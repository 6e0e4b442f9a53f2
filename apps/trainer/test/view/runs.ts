// Runs to look at: of the nano models, by the real command line; and one whose texts are attacks.
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readStep, stepPath, writeStep } from "@iapo/rollout-trace/files";
import { expect } from "vitest";
import { type Running, start } from "../support/iapo.ts";

const small = ["grpo.evaluate=", "grpo.groups=2", "grpo.rollout.samples=4", "grpo.rollout.maxTokens=40"];

function train(
  recipe: string,
  directory: string,
  steps: number,
  more: readonly string[] = [],
  options: readonly string[] = [],
): Running {
  const settings = [...small, `grpo.steps=${steps}`, ...more].flatMap((setting) => ["--set", setting]);
  return start(["train", recipe, ...settings, "--out", directory, ...options]);
}

/** `iapo` and `grpo`, of the same tasks. */
export async function trainRuns(folder: string): Promise<void> {
  for (const [recipe, name, more] of [
    ["nano-iapo-occlusion", "iapo", []],
    ["nano-grpo", "grpo", ["--fleet", "1", "--min-workers", "1"]],
  ] as const) {
    const { code, err } = await train(recipe, join(folder, name), 3, [], more).ended;
    expect(code, err).toBe(0);
  }
}

/** Goes on until it is ended; no checkpoint holds its steps meanwhile. */
export function trainOn(folder: string): Running {
  return train("nano-grpo", join(folder, "at-work"), 500, ["grpo.checkpoint.every=500", "grpo.seed=2"]);
}

export const attacks = [
  `</pre></article><script>document.title = "owned"</script><img src=x onerror="document.title='owned'">`,
  `<svg onload="document.title='owned'"><a xlink:href="javascript:alert(1)">x</a></svg>`,
  "\u001b]0;owned\u0007\u001b[31mred\u001b[2J",
  "\u202etxet desrever\u202c \u2066isolated \u2028 line \u2029 paragraph",
  "ten million ".repeat(850_000),
] as const;

/** A step of `grpo` whose questions and turns are attacks. */
export async function makeEvilRun(folder: string): Promise<void> {
  const directory = join(folder, "evil");
  await mkdir(directory, { recursive: true });
  await cp(join(folder, "grpo", "run.json"), join(directory, "run.json"));
  await cp(join(folder, "grpo", "images"), join(directory, "images"), { recursive: true });
  const { step, traces, log } = await readStep(stepPath(join(folder, "grpo", "steps"), 0));
  const evil = traces.map((trace) => ({
    ...trace,
    task: { ...trace.task, content: { ...(trace.task.content as object), question: attacks[trace.group] } },
    turns: trace.turns.map((turn, i) => ({ ...turn, text: attacks[(trace.sample + i) % attacks.length] ?? "" })),
  }));
  await writeStep(join(directory, "steps"), {
    step,
    traces: evil,
    log: { ...log, metrics: { ...log.metrics, [attacks[0]]: 1, [`alarm/${attacks[1]}`]: 1 } },
  });
  await writeFile(join(directory, "config.yaml"), attacks[0]);
}
