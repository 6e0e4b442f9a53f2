// The product's promise: where the packages are installed, and nowhere else, a user's own tool and reward are trained with, from a configuration.
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Project } from "./project.ts";

const reward = `import type { RewardFunction } from "@iapo/grpo";

/** The shorter, the better. */
const reward: RewardFunction = ({ turns }) => -turns.reduce((sum, { text }) => sum + text.length, 0);
export default reward;
`;
const configuration = `extends: nano-grpo
environment:
  tools: ./my-tools.ts
grpo:
  groups: 2
  rollout: { samples: 4 }
  evaluate:
  functions:
    reward: ./my-reward.ts
`;
/** What the steps' files say of it. */
const examine = `import { readRun } from "@iapo/rollout-trace/files";
const failed = [];
const steps = new Set();
let samples = 0;
for await (const { step, blocks, turns, rewards } of readRun("run/steps")) {
  steps.add(step);
  samples++;
  const prompt = blocks.map(({ text = "" }) => text).join("");
  if (!prompt.includes("focus_on_rows_with_blur(image_1")) failed.push("a prompt does not describe the own tool");
  const length = turns.reduce((sum, { text }) => sum + text.length, 0);
  if (rewards.outcome !== -length) failed.push("the reward is " + rewards.outcome + ", not " + -length);
}
if (steps.size !== 2 || samples !== 16) failed.push(steps.size + " steps of " + samples + " samples, not 2 of 16");
console.log(JSON.stringify(failed));`;

/** What does not hold, of a project that the packages are installed in. */
export async function trainWithOwnModules({ folder, run }: Project): Promise<string[]> {
  await copyFile("examples/own-tool/tools.ts", join(folder, "my-tools.ts"));
  await writeFile(join(folder, "my-reward.ts"), reward);
  await writeFile(join(folder, "my.yaml"), configuration);
  await writeFile(join(folder, "examine.js"), examine);
  const iapo = (...args: string[]) => run(["pnpm", "exec", "iapo", ...args]);
  await iapo("train", "my.yaml", "--set", "grpo.steps=2", "--out", "run");
  const { stdout } = await run(["node", "examine.js"]);
  const failed = (JSON.parse(stdout) as string[]).map((what) => `a tool of one's own: ${what}`);
  const resume = (...more: string[]) => iapo("train", "run", "--resume", "--set", "grpo.steps=3", ...more);
  const refusal = await resume().then(
    () => "nothing",
    (error: Error) => error.message,
  );
  if (!refusal.includes("untrusted")) failed.push(`a resume without --trust says ${refusal}, not untrusted`);
  await resume("--trust");
  return failed;
}
