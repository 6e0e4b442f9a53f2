// The trainer as a library: a short run of a shipped recipe, its episodes, and its page. node examples/trainer.ts
import { readRun } from "@iapo/rollout-trace/files";
import { loadRuns, writeReport } from "@iapo/run-report";
import { runCli } from "@iapo/trainer";

const io = {
  out: () => {}, // results
  note: (line: string) => console.log(line), // progress
  signal: new AbortController().signal, // aborted, the run writes a checkpoint and ends
  terminal: undefined,
};
const settings = ["grpo.steps=2", "grpo.groups=2", "grpo.rollout.samples=4", "grpo.evaluate="];
const status = await runCli(["train", "nano-grpo", "--out", "run", ...settings.flatMap((set) => ["--set", set])], io);
if (status !== 0) process.exit(status);

for await (const { step, task, turns, rewards } of readRun("run/steps", { where: ({ sample }) => sample === 0 }))
  console.log(step, task.id, turns.length, "turns, outcome", rewards.outcome);
await writeReport(await loadRuns(["run"], () => {}), "report.html");
