// RLOO's advantages: less the mean of the others.
import { leaveOneOutAdvantages } from "../math/advantages.ts";
import { defineAdvantage } from "./define.ts";

export const rlooAdvantage = defineAdvantage({
  kind: "rloo",
  formula: "`r_i - mean of the others`",
  source: "Ahmadian et al. 2024 (docs/method.md D.3)",
  advantages: leaveOneOutAdvantages,
});
