// The phases of a step, by the clock: GRPO on the shipped student, with its own recipe.
import { openJob, planJob } from "@iapo/jobs";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";

const RECIPE = "nano-grpo";
const SMALL = ["grpo.groups=1", "grpo.rollout.samples=4", "grpo.rollout.maxTokens=16"];

export async function measurePhases({ device, isSmall }: PartContext): Promise<Found<"phases">> {
  const set = ["grpo.evaluate=", ...(isSmall ? SMALL : [])];
  const { phases, probe } = await planJob(openJob(RECIPE, { set }), { device, probe: true });
  const secondsOf = (name: string): number => probe?.phases.find((phase) => phase.name === name)?.seconds ?? 0;
  return {
    model: `${RECIPE} ${set.join(" ")}`,
    phases: phases.map(({ name, flops, peakBytes, reservedBytes }) => {
      const seconds = secondsOf(name);
      return { name, seconds, gflops: seconds > 0 ? flops / seconds / 1e9 : 0, peakBytes, reservedBytes };
    }),
  };
}
