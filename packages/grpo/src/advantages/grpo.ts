// GRPO's advantages: less the group's mean, divided by a deviation.
import { groupAdvantages } from "../math/advantages.ts";
import { defineAdvantage } from "./define.ts";

export const grpoAdvantage = defineAdvantage({
  kind: "grpo",
  formula: "`(r - mean) / (std + epsilon)`, ddof 1; `scale`: `group`, `batch`, `none`; epsilon 1e-6 (verl), 1e-4 (TRL)",
  source: "Shao et al. 2024 (docs/method.md D.1)",
  advantages: groupAdvantages,
});
