// Each command that writes, as little as it can be asked for; the last argument takes the place where it writes.
import { join } from "node:path";

const wtq = [join(import.meta.dirname, "../fixtures/real/wtq"), "--format", "wikitablequestions"];
const few = (settings: readonly string[]): string[] => settings.flatMap((one) => ["--set", one]);

/** Settings of a GRPO run of one short step. */
const oneStep: readonly string[] = few([
  ...["grpo.steps=1", "grpo.groups=1", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=4", "grpo.evaluate="],
]);

type Writing =
  | "train"
  | "sft"
  | "export"
  | "report"
  | "convert"
  | "render"
  | "inspect"
  | "eval"
  | "demo"
  | "attribute"
  | "diagnose"
  | "case-study"
  | "ablate";

/** @param run the directory of a run, for those that look at one */
export function writingCommands(run: string): Record<Writing, readonly string[]> {
  return {
    train: ["train", "nano-grpo", ...oneStep, "--out"],
    sft: ["sft", "nano-sft", ...few(["supervised.steps=1", "supervised.batchSize=2"]), "--out"],
    export: ["export", run, "--out"],
    report: ["report", run, "--out"],
    convert: ["data", "convert", ...wtq, "--out"],
    render: ["data", "render", "nano", "--count", "2", "--out"],
    inspect: ["data", "inspect", ...wtq, "--sheet"],
    eval: ["eval", "nano-student", "--limit", "1", "--max-tokens", "2", "--out"],
    demo: ["demo", "--steps", "1", "--charts", "2", "--out"],
    attribute: ["attribute", "nano-student", "--max-tokens", "8", "--out"],
    diagnose: ["diagnose", "--charts", "1", "--out"],
    "case-study": ["case-study", "--model", "nano-student", "--charts", "1", "--methods", "occlusion", "--out"],
    ablate: ["ablate", "--only", "grpo", "--seeds", "1", "--steps", "1", "--tests", "2", ...oneStep.slice(2), "--out"],
  };
}
