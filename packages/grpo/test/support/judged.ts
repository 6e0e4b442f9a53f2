// The short run scored by a judge: `node judged.ts <directory> <steps> <endpoint> [<step after which it kills itself>]`.
import { join } from "node:path";
import type { Environment } from "@iapo/rollout-trace";
import { openDevice } from "@iapo/tensor-core";
import { createEnvironment, type VisualContent } from "@iapo/vqa-tasks";
import { createJudge, openVerdicts } from "@iapo/vqa-tasks/scoring";
import { withPrograms } from "./nano.ts";
import { nanoRun } from "./run.ts";

const [directory, steps, endpoint, last] = process.argv.slice(2) as [string, string, string, string | undefined];
const verdicts = await openVerdicts(join(directory, "verdicts.jsonl"));
const judge = createJudge({ endpoint, model: "judge", reading: "vtool_v2", retryDelayMs: 1, ...verdicts });
const scoring = { scoring: "judge", extraction: "final_answer" } as const;
const judged = withPrograms(createEnvironment({ options: { prompt: "compact", scoring }, judge }));

/** An untrained model gives no answers: what it writes in its last turn is taken for one. */
const environment: Environment<VisualContent> = {
  ...judged,
  async step(task, turn, earlier) {
    const result = await judged.step(task, turn, earlier);
    if (!result.done) return result;
    return judged.step(task, { text: `FINAL ANSWER: ${JSON.stringify(turn.text)}` }, earlier);
  },
};

const device = await openDevice();
const onMetrics = (step: number): void => {
  if (step === Number(last)) process.kill(process.pid, "SIGKILL");
};
await nanoRun(device, { directory, steps: Number(steps), resume: true, onMetrics }, {}, { environment });
await verdicts.close();
device.close();
