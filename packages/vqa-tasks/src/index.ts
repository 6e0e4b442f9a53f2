// The two-turn environment of questions about charts and tables, and what a task must be. Loads neither images nor data files.
export { createEnvironment, type EnvironmentSetup, type VqaEnvironment } from "./environment/environment.ts";
export { type EnvironmentOptions, type EnvironmentPreset, environmentPresets } from "./environment/options.ts";
export { namesInQuestion, type RewardParts, rewardParts } from "./environment/rewards.ts";
export { VqaTasksError, type VqaTasksErrorCode } from "./error.ts";
export { checkTask, storedVisualContent, type VisualContent, type VisualTask, visualContent } from "./task.ts";
