// The trainer as a library: a short run of a shipped recipe, its episodes, and its page. node examples/job.ts
import { openJob, runJob } from "@iapo/jobs";
import { readRun } from "@iapo/rollout-trace/files";
import { loadRuns, writeReport } from "@iapo/run-report";

const set = ["grpo.steps=2", "grpo.groups=2", "grpo.rollout.samples=4", "grpo.evaluate="];
const job = openJob("nano-grpo", { set, directory: "run" }); // or a YAML file of one's own
await runJob(job, {
  onStep: (step, metrics) => console.log(`step ${step + 1}: reward ${metrics["reward/outcome"]}`),
  onWarning: (message) => console.error(message),
});

for await (const { step, task, turns, rewards } of readRun("run/steps", { where: ({ sample }) => sample === 0 }))
  console.log(step, task.id, turns.length, "turns, outcome", rewards.outcome);
await writeReport(await loadRuns(["run"], () => {}), "report.html");
