// Settings as attribution takes them.
import type { BlockMethod } from "@iapo/attribution";
import type { PartitionOptions } from "@iapo/attribution/math";
import type { MethodSettings, PartitionSettings } from "../config/types.ts";

export function blockMethod(settings: MethodSettings): BlockMethod {
  switch (settings.method) {
    case "grad_x_input": {
      const { tokenReduce, blockReduce } = settings;
      return { kind: "grad_x_input", tokenReduce, blockReduce };
    }
    case "ig": {
      const { tokenReduce, blockReduce, baseline, quadrature, steps } = settings;
      return { kind: "ig", tokenReduce, blockReduce, baseline, quadrature, steps };
    }
    case "grad_norm":
      return { kind: "grad_norm", blockReduce: settings.blockReduce };
    case "occlusion":
      return { kind: "occlusion", baseline: settings.baseline };
  }
}

export function partitionOptions(settings: PartitionSettings): PartitionOptions {
  return settings.partition === "tool_groups"
    ? { kind: "tool_groups", groups: settings.toolGroups }
    : { kind: settings.partition };
}
