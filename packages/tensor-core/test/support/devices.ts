// The kinds of device that kernels are tested on.
import type { DeviceOptions } from "../../src/index.ts";

/** In the full check every kind on its own; else this adapter as it is, and the least that any device offers. */
export const deviceKinds: readonly DeviceOptions[] =
  process.env.IAPO_FULL === "1"
    ? [{}, { family: "workgroup" }, { limits: "default" }, { subgroups: false }]
    : [{}, { family: "workgroup", limits: "default", subgroups: false }];
