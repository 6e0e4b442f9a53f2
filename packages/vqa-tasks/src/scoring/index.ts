// Answers found and scored, by rules or by a judge behind an endpoint.
export {
  type ChatClient,
  type ChatMessage,
  type ChatOptions,
  type ChatRequest,
  createChatClient,
  defaultChatOptions,
} from "./chat.ts";
export { endpointProblem } from "./endpoint-address.ts";
export { type AnswerExtraction, extractAnswer } from "./extract.ts";
export { bodyOf, withoutSecret } from "./http.ts";
export {
  createJudge,
  defaultJudgeOptions,
  type Judge,
  type JudgeOptions,
  type JudgeQuestion,
  type JudgeVerdict,
} from "./judge.ts";
export { lastWord, type VerdictReading } from "./judge-verdict.ts";
export { exactScore, relaxedScore } from "./relaxed.ts";
export { ruleOf, ruleScores, type ScoringRule, scoringRules } from "./rules.ts";
export {
  createScorer,
  defaultScoringOptions,
  type Score,
  type Scorer,
  type Scoring,
  type ScoringOptions,
  scoringPresets,
} from "./score.ts";
export { similarity, similarityV1 } from "./similarity.ts";
export { openVerdicts, type VerdictFile } from "./verdicts.ts";
