/** What a tool call was worth, apart from the answer: parts for ToRL's and TRM's rewards and for metrics (method.md C.3, G). */

import type { Task, ToolOutcome } from "@iapo/rollout-trace";

export type RewardParts = {
  /** A program was written, whatever became of it. */
  readonly tool_call: 0 | 1;
  /** It showed an image. */
  readonly tool_success: 0 | 1;
  /** A tool of the axis that the chart does not have was called. Always 0 for tables. */
  readonly tool_misuse: 0 | 1;
  /** The image shown differs from the original. */
  readonly tool_changed: 0 | 1;
};

export function rewardParts({ orientation }: Pick<Task, "orientation">, tool: ToolOutcome): RewardParts {
  const wrongAxis = orientation === "columns" ? /^focus_on_(?:rows|y_values)_/ : /^focus_on_(?:columns|x_values)_/;
  const misused = orientation !== undefined && tool.tools.some((name) => wrongAxis.test(name));
  return {
    tool_call: tool.status === "no_tool" ? 0 : 1,
    tool_success: tool.status === "ok" ? 1 : 0,
    tool_misuse: misused ? 1 : 0,
    tool_changed: tool.changed ? 1 : 0,
  };
}
