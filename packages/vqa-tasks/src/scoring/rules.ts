// Which rule scores which set.
import { exactScore, relaxedScore } from "./relaxed.ts";
import { charxivScore, finTabNetQaScore, tabFactScore, wikiTableQuestionsScore } from "./set-rules.ts";

export const scoringRules = ["exact", "relaxed", "wikitablequestions", "tabfact", "charxiv", "fintabnetqa"] as const;
/**
 * - `exact`: the same text. `relaxed`: ChartQA's, numbers within 5 %.
 * - `wikitablequestions`: exact numbers, dates, sets, no accents or details. `tabfact`: true or false. `charxiv`: exact numbers. `fintabnetqa`: values.
 */
export type ScoringRule = (typeof scoringRules)[number];

type RuleScore = (answer: string, truths: readonly string[]) => 0 | 1;

export const ruleScores: Readonly<Record<ScoringRule, RuleScore>> = {
  exact: exactScore,
  relaxed: relaxedScore,
  wikitablequestions: wikiTableQuestionsScore,
  tabfact: tabFactScore,
  charxiv: charxivScore,
  fintabnetqa: finTabNetQaScore,
};

/** Of a task's `source`; `relaxed` for ChartQA's charts and for sets that have no rule of their own. */
export function ruleOf(source: string | undefined): ScoringRule {
  if (source === undefined) return "relaxed";
  const set = source.replace(/-rendered$/, "");
  if (/^(?:vwtq|vwtq_syn|wikitablequestions)$/.test(set)) return "wikitablequestions";
  if (/^(?:vtabfact|tabfact)$/.test(set)) return "tabfact";
  if (set === "fintabnetqa") return "fintabnetqa";
  return set.startsWith("charxiv") ? "charxiv" : "relaxed";
}
