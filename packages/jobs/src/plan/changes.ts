// What to change in a configuration that does not fit: each change is planned as the configuration itself was, alone and on top of those before.
import { type AdapterFacts, planningDevice } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import type { JobSpec } from "../job/spec.ts";
import { oneStep } from "./one-step.ts";
import { verdictOf } from "./verdict.ts";

export interface Change {
  /** In place of those of the configuration, as `openJob` takes them; those before it stay. */
  readonly settings: readonly string[];
  readonly peakBytes: number;
}

interface Step {
  readonly settings: readonly string[];
  /** Undefined where it changes nothing. */
  readonly apply: (config: JobConfig) => JobConfig | undefined;
}

/** Cheap ones first: those that give the same gradients, then those that train something else. */
const steps: readonly Step[] = [
  {
    settings: ["teacher.residence=turns"],
    apply: ({ teacher, ...rest }) =>
      !canTakeTurns(rest) || !teacher || teacher.residence === "turns"
        ? undefined
        : { ...rest, teacher: { ...teacher, residence: "turns" } },
  },
  {
    settings: ["model.recompute=true"],
    apply: (config) =>
      config.model.recompute ? undefined : { ...config, model: { ...config.model, recompute: true } },
  },
  {
    settings: ["teacher.recompute=true"],
    apply: ({ teacher, ...rest }) =>
      !rest.iapo || !teacher || teacher.recompute ? undefined : { ...rest, teacher: { ...teacher, recompute: true } },
  },
  microBatchTokens(4096),
  microBatchTokens(1024),
  {
    settings: ["grpo.rollout.groupsAtOnce=1"],
    apply: ({ grpo, ...rest }) => ({ ...rest, grpo: { ...grpo, rollout: { ...grpo.rollout, groupsAtOnce: 1 } } }),
  },
  {
    settings: ["model.dtype=bf16"],
    apply: (config) =>
      config.model.dtype === "bf16" ? undefined : { ...config, model: { ...config.model, dtype: "bf16" } },
  },
  {
    settings: ["teacher.base=int8"],
    apply: ({ teacher, ...rest }) =>
      !teacher || teacher.base ? undefined : { ...rest, teacher: { ...teacher, base: "int8" } },
  },
  {
    settings: ["model.lora.rank=16", "model.lora.alpha=32"],
    apply: (config) =>
      config.model.lora ? undefined : { ...config, model: { ...config.model, lora: { rank: 16, alpha: 32 } } },
  },
  {
    settings: ["model.base=int8"],
    apply: ({ model, ...rest }) =>
      !model.lora || model.base ? undefined : { ...rest, model: { ...model, base: "int8" } },
  },
];

/** Whether the teacher is asked before the update, and never within it. */
function canTakeTurns({ iapo, distillation }: Pick<JobConfig, "iapo" | "distillation">): boolean {
  if (distillation?.kind === "loss") return distillation.topK !== undefined;
  return (iapo ?? distillation) !== undefined;
}

/** An update in pieces of at most so many rows. */
function microBatchTokens(rows: number): Step {
  return {
    settings: [`grpo.update.microBatchTokens=${rows}`, `supervised.microBatchTokens=${rows}`],
    apply: ({ grpo, supervised, ...rest }) => ({
      ...rest,
      grpo: {
        ...grpo,
        update: { ...grpo.update, microBatchTokens: Math.min(rows, grpo.update.microBatchTokens ?? rows) },
      },
      ...(supervised && {
        supervised: { ...supervised, microBatchTokens: Math.min(rows, supervised.microBatchTokens ?? rows) },
      }),
    }),
  };
}

/** Changes until the step fits into `room` bytes with something to spare, or there is nothing more to change. */
export async function changesToFit(
  config: JobConfig,
  kind: JobSpec["kind"],
  facts: AdapterFacts,
  room: number,
  signal?: AbortSignal,
): Promise<Change[]> {
  const changes: Change[] = [];
  let [current, settings]: [JobConfig, string[]] = [config, []];
  const unread = kind === "sft" ? ["grpo", "teacher"] : ["supervised"];
  for (const step of steps) {
    const own = step.settings.filter((name) => !unread.includes(name.replace(/\..*$/s, "")));
    const next = own.length > 0 ? step.apply(current) : undefined;
    if (!next) continue;
    const replaced = settings.filter((before) => !own.some((one) => one.split("=")[0] === before.split("=")[0]));
    [current, settings] = [next, [...replaced, ...own]];
    using device = planningDevice(facts);
    const { phases } = await oneStep(device, current, kind, { signal });
    const peakBytes = Math.max(...phases.map((phase) => phase.peakBytes));
    changes.push({ settings, peakBytes });
    if (verdictOf(peakBytes, room) === "fits") break;
  }
  return changes;
}
