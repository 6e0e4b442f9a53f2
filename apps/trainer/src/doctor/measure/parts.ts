// The parts by name, and how one of them is run in this process: what a child of `iapo doctor --measure` does.
import { parityProbe } from "@iapo/tensor-core";
import { openAdapter } from "../../adapter.ts";
import { TrainerError } from "../../error.ts";
import type { CliIo } from "../../io.ts";
import { describeAdapters } from "./adapters.ts";
import { measureConformance } from "./conformance.ts";
import type { PartContext } from "./context.ts";
import { measureKernels } from "./kernels.ts";
import { measureMaths } from "./maths.ts";
import { measureMemory } from "./memory.ts";
import { measurePeaks } from "./peaks.ts";
import { measurePhases } from "./phases.ts";
import { type Found, type PartName, partNames } from "./report.ts";

const parts: { readonly [Name in PartName]: (context: PartContext) => Promise<Found<Name>> } = {
  adapters: describeAdapters,
  maths: measureMaths,
  peaks: measurePeaks,
  parity: async ({ device }) => {
    const { holds, checks } = await parityProbe(device);
    return { holds, checks: [...checks] };
  },
  conformance: measureConformance,
  kernels: measureKernels,
  phases: measurePhases,
  memory: measureMemory,
};

/** Of the time that a part has, what it plans to use. */
const PLANNED_SHARE = 0.8;

/** Prints what the part found, as JSON. @throws TrainerError `argument` for a name of no part */
export async function measurePart(given: string, seconds: number, io: Pick<CliIo, "out">): Promise<number> {
  const name = partNames.find((known) => known === given);
  if (!name) throw new TrainerError("argument", `there is no part ${given}; there are: ${partNames.join(", ")}`);
  const deadline = performance.now() + 1000 * PLANNED_SHARE * seconds;
  using device = await openAdapter();
  const found = await parts[name]({ device, deadline, isSmall: device.facts.software });
  io.out(JSON.stringify(found));
  return 0;
}
